/** Every permission: refused without it, by name; with it exactly that; and never more than the gateway holds. */

import { assertEquals, assertThrows } from "jsr:@std/assert@^1.0.19";
import type { Gateway, PermissionName, PermissionsInit } from "../../mod.ts";
import { withFolder } from "../helpers/folder.ts";
import { isAllowed, isRefused, Targets, tryAll } from "./attempts.ts";
import type { Attempt, Row } from "./attempts.ts";
import { OUTSIDE, PLACES, scene } from "./places.ts";
import type { Scene } from "./places.ts";

const NAMES = [
  "read",
  "write",
  "net",
  "env",
  "run",
  "ffi",
  "sys",
  "import",
] as const satisfies PermissionName[];

/** What is allowed of what a row tries. */
type Held = (row: Row, subject: string) => boolean;

const NOTHING: Held = () => false;
const COVERED: Held = ({ covered }, subject) => covered.includes(subject);

function only(names: readonly PermissionName[], held: Held): Held {
  return (row, subject) => names.includes(row.permission) && held(row, subject);
}

/** Tries everything, and gives what did not come out as it should have. */
async function wrong(
  gateway: Gateway,
  targets: Targets,
  held: Held,
  permissions?: PermissionsInit,
): Promise<string[]> {
  const { attempts, rows } = targets;
  const options = permissions === undefined ? {} : { permissions };
  const channel = gateway.remoteExec(tryAll, { attempts }, options);
  const outcomes = await channel.receive() as unknown as string[];
  await channel.waitClose();
  assertEquals(outcomes.length, attempts.length);
  return attempts.flatMap((attempt, i) => {
    const outcome = outcomes[i]!;
    const allowed = held(rows.find(({ permission }) => permission === attempt.permission)!, attempt.subject);
    const asExpected = allowed ? isAllowed(attempt, outcome) : isRefused(attempt, outcome);
    const asked = attempt.permission === "import" && targets.wasAsked(attempt.subject);
    if (asExpected && (attempt.permission !== "import" || asked === allowed)) return [];
    return [`${attempt.permission} ${attempt.subject} ${allowed ? "allowed" : "refused"}: ${outcome}`];
  });
}

function keysOf(verb: "allow" | "deny", rows: readonly Row[]): string {
  return rows.map(({ permission, item }) => `${verb}-${permission}=${item}`).join("//");
}

/** A test with something to be tried. */
function tried(name: string, body: (scene: Scene, targets: Targets) => Promise<void>): void {
  scene(name, (made) =>
    withFolder(async (folder) => {
      await using targets = Targets.make(folder);
      await body(made, targets);
    }));
}

for (const place of PLACES) {
  tried(
    `without a permission everything is refused by its name [${place.name}]`,
    async ({ open }, targets) => {
      const keys = place.inside ? "" : "env:EXECNET_OTHER=1";
      assertEquals(await wrong(await open(place, keys), targets, NOTHING), []);
    },
  );

  tried(`a list allows what is in it and nothing beside that [${place.name}]`, async ({ open }, targets) => {
    const gateway = await open(place, keysOf("allow", targets.rows));
    assertEquals(await wrong(gateway, targets, COVERED), []);
    if (place.model !== "main") await narrower(gateway, targets);
  });
}

/** Executions with a part of that, and without anything; and what would be more. */
async function narrower(gateway: Gateway, targets: Targets): Promise<void> {
  const item = (name: PermissionName): string =>
    targets.rows.find(({ permission }) => permission === name)!.item;
  assertEquals(await wrong(gateway, targets, NOTHING, "none"), []);
  // Two at a time: what leaked from one into another would be seen.
  for (const [one, two] of [["read", "sys"], ["write", "import"], ["net", "ffi"], ["env", "run"]] as const) {
    const permissions = { [one]: [item(one)], [two]: "inherit" } as const;
    assertEquals(await wrong(gateway, targets, only([one, two], COVERED), permissions), [], `${one}, ${two}`);
  }
  for (const { permission, beside } of targets.rows) {
    for (const wish of [true, [beside[0]!], [item(permission), beside[0]!]]) {
      const ask = (): unknown => gateway.remoteExec("0", { permissions: { [permission]: wish } });
      assertThrows(ask, RangeError, `allow-${permission}`);
    }
  }
}

for (const name of NAMES) {
  tried(`allow-${name} allows all of that and nothing else`, async ({ open }, targets) => {
    const main = OUTSIDE.find(({ model }) => model === "main")!;
    assertEquals(await wrong(await open(main, `allow-${name}`), targets, only([name], () => true)), []);
  });
}

for (const place of OUTSIDE) {
  tried(
    `a list of what is denied denies that and nothing beside it [${place.name}]`,
    async ({ open }, targets) => {
      const gateway = await open(place, `allow-all//${keysOf("deny", targets.rows)}`);
      assertEquals(await wrong(gateway, targets, (row, subject) => !COVERED(row, subject)), []);
    },
  );
}

/** Each kind is denied as a whole, while everything else is allowed. */
tried("deny- of a whole kind denies that in each model", async ({ open }, targets) => {
  for (const [i, place] of PLACES.entries()) {
    const denied = NAMES.filter((_, at) => at % 2 === i % 2);
    const gateway = await open(place, `allow-all//${denied.map((name) => `deny-${name}`).join("//")}`);
    const held: Held = ({ permission }) => !(denied as readonly string[]).includes(permission);
    assertEquals(await wrong(gateway, targets, held), [], place.name);
  }
});

/** For the table above: what it takes for refusal and for success. */
Deno.test("isRefused() and isAllowed() take only what says so", () => {
  const read: Attempt = { permission: "read", subject: "/x" };
  const refused = 'NotCapable: Requires read access to "/x", run again';
  assertEquals([isRefused(read, refused), isAllowed(read, refused)], [true, false]);
  assertEquals([isRefused(read, "NotFound: no such file"), isAllowed(read, "NotFound: no")], [false, false]);
  assertEquals(isRefused(read, 'NotCapable: Requires write access to "/x"'), false);
  const load: Attempt = { permission: "import", subject: "a:1" };
  assertEquals(isAllowed(load, 'TypeError: Module not found "http://a:1/module.js"'), true);
  assertEquals(isRefused(load, 'TypeError: Module not found "http://a:1/module.js"'), false);
});
