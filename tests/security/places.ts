/** Where remote code tries to get out: the kinds of gateways that differ in that, and what each test works with. */

import { type ExecModel, type Gateway, type GatewayOptions, Group } from "../../mod.ts";
import { LeakCheck } from "../helpers/leaks.ts";
import { limited } from "../helpers/wait.ts";

/** A kind of gateways. */
export interface Place {
  readonly name: string;
  readonly spec: string;
  readonly model: ExecModel;
  /** Whether its executions are in the program's own process. */
  readonly inside: boolean;
  /** Whether each execution has globals of its own. */
  readonly apart: boolean;
}

/** All that differ. */
export const PLACES: readonly Place[] = [
  { name: "popen worker", spec: "popen", model: "worker", inside: false, apart: true },
  { name: "popen main", spec: "popen//execmodel=main", model: "main", inside: false, apart: false },
  { name: "popen process", spec: "popen//execmodel=process", model: "process", inside: false, apart: true },
  { name: "worker", spec: "worker", model: "worker", inside: true, apart: true },
  { name: "worker main", spec: "worker//execmodel=main", model: "main", inside: true, apart: false },
];

/** Those with a process of their own. */
export const OUTSIDE: readonly Place[] = PLACES.filter(({ inside }) => !inside);

const LIMIT_MS = 60_000;
const END_MS = 15_000;

/** What a test has. */
export interface Scene {
  readonly group: Group;
  /** Makes a gateway at the place, with these keys. What it prints is dropped if not asked for. */
  open(place: Place, keys?: string, options?: GatewayOptions): Promise<Gateway>;
}

/** Registers a test; what it has made is ended after it, and nothing may be left. */
export function scene(
  name: string,
  body: (scene: Scene, test: Deno.TestContext) => Promise<void>,
): void {
  Deno.test(name, async (test) => {
    const leaks = new LeakCheck();
    const group = new Group();
    const open: Scene["open"] = ({ spec }, keys = "", options = {}) =>
      group.makeGateway(keys === "" ? spec : `${spec}//${keys}`, { stderr: "null", ...options });
    try {
      await limited(name, body({ group, open }, test), LIMIT_MS);
    } finally {
      await limited(`the end of ${name}`, group.terminate({ timeout: 5_000 }), END_MS);
    }
    await leaks.done();
  });
}
