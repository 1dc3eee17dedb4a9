/** Attempts of remote code to get out. docs/security.md has a row for each, with what comes of it. */

import { assertEquals } from "jsr:@std/assert@^1.0.19";
import type { Gateway, GatewayOptions } from "../../mod.ts";
import { PLACES, scene } from "./places.ts";
import type { Place } from "./places.ts";

/** What an attempt works with. */
export interface Cell {
  readonly place: Place;
  /** Without any permission; what has to go on after the attempt may use it. */
  readonly gateway: Gateway;
  /** Another gateway of the program, of the same kind, that must not even notice. */
  readonly other: Gateway;
  /** Makes a gateway for what spoils it, or needs keys. */
  open(keys?: string, options?: GatewayOptions): Promise<Gateway>;
}

/** An attempt. */
interface Attempt {
  readonly name: string;
  readonly places: readonly Place[];
  readonly body: (cell: Cell) => Promise<void>;
}

const ATTEMPTS: Attempt[] = [];

/** Registers an attempt that is made at each of these places. */
export function fromInside(
  name: string,
  places: readonly Place[],
  body: (cell: Cell) => Promise<void>,
): void {
  ATTEMPTS.push({ name, places, body });
}

/** Registers an attempt that has a place of its own. */
export function alone(name: string, body: () => Promise<void>): void {
  scene(`from inside: ${name}`, body);
}

/** Registers the tests, one for each place, with all attempts that are registered by now. */
export function testAttempts(): void {
  for (const place of PLACES) {
    const attempts = ATTEMPTS.filter(({ places }) => places.includes(place));
    scene(`from inside [${place.name}]`, async ({ open }, test) => {
      const [gateway, other] = await Promise.all([open(place), open(place)]);
      const cell: Cell = { place, gateway, other, open: (keys, options) => open(place, keys, options) };
      for (const { name, body } of attempts) {
        const passed = await test.step({
          name,
          fn: async () => {
            await body(cell);
            assertEquals(await other.call((n: number) => n + 1, 1), 2, "another gateway goes on");
          },
          // The test as a whole is looked at.
          sanitizeOps: false,
          sanitizeResources: false,
        });
        if (!passed) return;
      }
    });
  }
}
