/** What others see in the list of processes. */

import { assert, assertEquals, assertMatch } from "jsr:@std/assert@^1.0.19";
import { Group } from "../../mod.ts";
import { commandLine, descendants } from "../helpers/leaks.ts";
import { alone } from "./inside.ts";

/** Gateways whose environment has something in it that is nobody else's business, in each way of starting a process. */
const SPECS: readonly string[] = [
  "popen",
  "popen//execmodel=main",
  "popen//execmodel=process",
  "command=env//execmodel=main",
  "popen//via=hop//execmodel=main",
  "popen//via=hop",
  "command=env//via=hop//execmodel=main",
];

alone("finding what is in env: in the list of processes", async () => {
  await using group = new Group();
  const options = { stderr: "null" } as const;
  await group.makeGateway("popen//id=hop//allow-run=sh,env", options);
  const secret = crypto.randomUUID();
  const seen = new Set<string>();
  const look = (): void => {
    for (const { pid } of descendants(Deno.pid)) seen.add(commandLine(pid));
  };
  const timer = setInterval(look, 5);
  for (const spec of SPECS) {
    const gateway = await group.makeGateway(
      `${spec}//env:SECRET=${secret}//env:PATH=${Deno.env.get("PATH")}`,
      options,
    );
    const read = (): string | undefined => Deno.env.get("SECRET");
    // It is there, also for a second execution, whose process or Worker is another one.
    for (let i = 0; i < 2; i++) {
      assertEquals(await gateway.remoteExec(`channel.send(Deno.env.get("SECRET"))`).receive(), secret, spec);
    }
    assertEquals(await gateway.call(read), secret);
    look();
  }
  clearInterval(timer);
  assert(seen.size > 2 * SPECS.length, `${seen.size} command lines`);
  assertEquals([...seen].filter((line) => line.includes(secret)), []);
});

alone("finding in the list of processes how a gateway is connected to", async () => {
  await using group = new Group();
  const options = { stderr: "null" } as const;
  const gateway = await group.makeGateway("popen", options);
  const line = commandLine((await gateway.remoteInfo()).pid).replaceAll("%2F", "/");
  // The socket of a gateway and its proof stand there. The folder is its user's own, and goes with the gateway.
  const folder = /\/[^\s\0"']*execnet-[0-9a-z]+/.exec(line)![0];
  assertMatch(line, /[0-9a-f]{32}/);
  assertEquals((await Deno.stat(folder)).mode! & 0o777, 0o700);
  // Other remote code may read everything that the system does not guard, and still not that list.
  const reader = await group.makeGateway(
    "popen//execmodel=main//allow-read//allow-write//allow-net",
    options,
  );
  const read = async (path: string): Promise<string> =>
    await Deno.readTextFile(path).then(() => "was read", (error) => error.name);
  const { pid } = await gateway.remoteInfo();
  for (const name of ["cmdline", "environ", "fd/1", "mem", "maps"]) {
    for (const who of [String(pid), "self"]) {
      assertEquals(await reader.call(read, `/proc/${who}/${name}`), "NotCapable", `/proc/${who}/${name}`);
    }
  }
});
