/** Gateways that are started through a shell: what the spec says arrives as it is, and what is no gateway is told. */

import { assert, assertEquals, assertMatch, assertRejects } from "jsr:@std/assert@^1.0.19";
import { ConnectError, type GatewayOptions, Group, type XSpecInit } from "../../mod.ts";
import { test, within } from "../helpers/bounded.ts";
import { withFolder } from "../helpers/folder.ts";
import { LeakCheck } from "../helpers/leaks.ts";
import { QUIET } from "./elsewhere.ts";

const HERE = { command: "env" } as const;

/** What a gateway's process has in its environment. */
async function environment(init: XSpecInit, names: string[]): Promise<unknown> {
  await using group = await Group.create([init], QUIET);
  const read = (names: string[]): unknown[] => names.map((name) => Deno.env.get(name));
  return await group.get(0)!.call(read, names);
}

async function failure(command: string, options: GatewayOptions = {}): Promise<ConnectError> {
  await using group = new Group();
  return await assertRejects(
    () => group.makeGateway({ command }, { ...QUIET, ...options }),
    ConnectError,
  ) as ConnectError;
}

test("variables of any name and any value arrive", async () => {
  const names = [..."abcdefghijklmnopqrstuvwxyz", "IFS", "CDPATH", "ENV", "PS4"];
  const values = names.map((name, i) => i % 2 === 0 ? `the\n${name}` : `$(exit) \`'"\\ ${name}\t\u{1F600}`);
  const env = Object.fromEntries(names.map((name, i) => [name, values[i]!]));
  assertEquals(await environment({ ...HERE, env }, names), values);
});

test("a PATH of the gateway's own is not that of the shell which starts it", async () => {
  const init = { ...HERE, deno: Deno.execPath(), env: { PATH: "/nowhere" } };
  const [path] = await environment(init, ["PATH"]) as [string];
  assert(path.split(":").includes("/nowhere"), path);
});

test("a relative folder is looked for in no CDPATH", () =>
  withFolder(async (folder) => {
    await Deno.mkdir(`${folder}/elsewhere/in`, { recursive: true });
    await Deno.mkdir(`${folder}/home`);
    const command = `env -C ${folder}/home CDPATH=${folder}/elsewhere`;
    for (const chdir of ["in", "-"]) {
      await using group = await Group.create([{ command, chdir }], QUIET);
      assertEquals((await group.get(0)!.remoteInfo()).cwd, `${folder}/home/${chdir}`);
    }
  }));

/** What was killed is looked for over there, which ends a moment later than the start. */
function withLook(name: string, body: () => Promise<void>): void {
  Deno.test({
    name,
    sanitizeOps: false,
    sanitizeResources: false,
    async fn(): Promise<void> {
      const leaks = new LeakCheck();
      await within(20_000, name, body());
      await leaks.done();
    },
  });
}

withLook("what comes in place of a greeting is told", async () => {
  const silent = await failure("echo hello");
  assertEquals(silent.kind, "noise");
  assertMatch(silent.message, /in place of a greeting came "hello /);
  const waiting = await failure("sh -c 'echo hello; cat >/dev/null'", { connectTimeout: 3_000 });
  assertEquals(waiting.kind, "noise");
  assertMatch(waiting.message, /in place of a greeting came "hello/);
  const failing = await failure("sh -c 'echo hello; exit 3'");
  assertEquals([failing.kind, failing.exitCode], ["exit", 3]);
  assertMatch(failing.message, /in place of a greeting came "hello/);
});

withLook("what is printed beside the connection is no noise", async () => {
  const error = await failure("sh -c 'echo banner >&2; cat >/dev/null'", { connectTimeout: 3_000 });
  assertEquals([error.kind, error.stderrTail], ["timeout", "banner"]);
});

test("a command that cannot be run is not taken for Deno", async () => {
  for (const command of ["no-such-program-anywhere", "/tmp"]) {
    const error = await failure(command);
    assertEquals(error.kind, "exit");
    assert(error.message.includes(`there is no program "${command}" here`), error.message);
  }
});

test("connectTimeout may be longer than a timer can wait", async () => {
  for (const connectTimeout of [Infinity, 2 ** 31]) {
    await using group = await Group.create([HERE], { ...QUIET, connectTimeout });
    assertEquals((await group.terminate({ timeout: Infinity })).map(({ reason }) => reason), ["requested"]);
  }
});
