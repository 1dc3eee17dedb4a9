/** Every permission: refused without it, by name; with it exactly that; and never more than the gateway holds. */

import { assert, assertEquals, assertThrows } from "jsr:@std/assert@^1.0.19";
import type { Channel, Gateway, PermissionName, PermissionsInit } from "../../mod.ts";
import { withFolder } from "../helpers/folder.ts";
import { commandLine, descendants } from "../helpers/leaks.ts";
import { isAllowed, isRefused, Targets, tryAll } from "./attempts.ts";
import type { Attempt, Row } from "./attempts.ts";
import { OUTSIDE, PLACES, scene } from "./places.ts";
import type { Place, Scene } from "./places.ts";

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

/** A process that is reached by pipes, and so needs no permission for that. */
const BY_PIPES: Place = {
  name: "command main",
  spec: "command=env//execmodel=main",
  model: "main",
  inside: false,
  apart: false,
};

for (const place of [...PLACES, BY_PIPES]) {
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

/** What Deno loads by itself without any permission; nothing of it is asked for where that is closed. */
const ELSEWHERE: readonly string[] = ["npm:chalk", "jsr:@std/assert", "https://jsr.io/x.js"];

for (const place of [...OUTSIDE, BY_PIPES]) {
  scene(`without allow-import nothing is loaded from registries [${place.name}]`, async ({ open }) => {
    for (const keys of ["", "allow-all//deny-import"]) {
      const gateway = await open(place, keys);
      const load = async (name: string): Promise<string> =>
        await import(name).then(() => "loaded", (error) => error.message);
      for (const name of ELSEWHERE) {
        const outcome = await gateway.call(load, name);
        assert(/--no-remote|--no-npm|Requires import access/.test(outcome), `${name}: ${outcome}`);
      }
    }
  });

  scene(`what it takes to connect is given back [${place.name}]`, async ({ open }) => {
    const gateway = await open(place);
    // Each execution has its own Worker or process, and the first ones were made before there was anything to execute.
    for (let i = 0; i < 3; i++) {
      const channel = gateway.remoteExec(async (channel: Channel<string, string[]>) => {
        const held: string[] = [];
        for await (const path of channel) {
          const places = [{ name: "read", path }, { name: "write", path }, {
            name: "net",
            host: `unix:${path}`,
          }];
          for (const one of places as Deno.PermissionDescriptor[]) {
            if (Deno.permissions.querySync(one).state === "granted") held.push(`${one.name} ${path}`);
          }
          const connection = await Deno.connect({ transport: "unix", path }).catch(() => undefined);
          if (connection !== undefined) held.push(`connected to ${path}`);
        }
        await channel.send(held);
      });
      const lines = descendants(Deno.pid).map(({ pid }) => commandLine(pid).replaceAll("%2F", "/"));
      const sockets = lines.flatMap((line) =>
        [...line.matchAll(/\/[^\s\0"']*execnet-[^\s\0"']*/g)].map(([path]) => path)
      );
      assert(place === BY_PIPES || sockets.length > 0);
      for (const path of new Set(["/tmp", "/nowhere", ...sockets])) await channel.send(path);
      await channel.closeWrite();
      assertEquals(await channel.receive(), []);
      await channel.waitClose();
    }
  });
}

for (const place of OUTSIDE.filter(({ model }) => model !== "main")) {
  tried(
    `what is denied stays denied with narrower permissions [${place.name}]`,
    async ({ open }, targets) => {
      const { item, covered } = targets.rows[0]!;
      const folder = item.slice(0, item.lastIndexOf("/"));
      const gateway = await open(place, `allow-read=${folder}//deny-read=${item}`);
      const read = async (channel: Channel<never, string>, { path }: { path: string }): Promise<void> =>
        await channel.send(await Deno.readTextFile(path).then(() => "was read", (error) => error.name));
      for (const permissions of ["inherit", { read: "inherit" }, { read: [`${folder}/other`] }] as const) {
        const [denied, beside] = await Promise.all(
          [covered[0]!, `${folder}/other/file`].map((path) =>
            gateway.remoteExec(read, { path }, { permissions }).receive()
          ),
        );
        assertEquals([denied, beside], ["NotCapable", "was read"], JSON.stringify(permissions));
      }
    },
  );
}

/** What reading a variable comes to, with narrower permissions. */
const WISHES: readonly (readonly [permissions: PermissionsInit, outcome: string])[] = [
  ["none", "NotCapable"],
  [{ read: "inherit" }, "NotCapable"],
  [{ env: ["EXECNET_OTHER"] }, "NotCapable"],
  [{ env: ["EXECNET_GIVEN"] }, "given"],
  [{ env: "inherit" }, "given"],
  ["inherit", "given"],
];

for (const place of OUTSIDE.filter(({ model }) => model !== "main")) {
  scene(`what env: allows can be narrowed [${place.name}]`, async ({ open }) => {
    const gateway = await open(place, "env:EXECNET_GIVEN=given//env:EXECNET_OTHER=other");
    const read = `try { channel.send(Deno.env.get("EXECNET_GIVEN")) } catch (e) { channel.send(e.name) }`;
    for (const [permissions, outcome] of WISHES) {
      const channel = gateway.remoteExec(read, { permissions });
      assertEquals(await channel.receive(), outcome, JSON.stringify(permissions));
      await channel.waitClose();
    }
  });
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
