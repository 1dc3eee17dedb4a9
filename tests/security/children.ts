/** What the children of remote code inherit. Whoever may start programs may do everything; this says what that includes. */

import { assert, assertEquals, assertMatch } from "jsr:@std/assert@^1.0.19";
import { Group } from "../../mod.ts";
import { alone, fromInside } from "./inside.ts";
import { PLACES } from "./places.ts";

/** A variable that every process of these tests has; see `tests/helpers/leaks.ts`. */
const VARIABLE = "EXECNET_TEST_RUN";

/** The open descriptors of a shell, and its environment. */
const LOOK = `ls /proc/$$/fd; echo; tr '\\0' '\\n' </proc/$$/environ`;

fromInside(
  "reading the environment and the descriptors by a child process",
  PLACES,
  async ({ place, open }) => {
    const gateway = await open("allow-run=sh");
    const look = async (script: string): Promise<string> => {
      const { stdout } = await new Deno.Command("sh", { args: ["-c", script], stdin: "inherit" }).output();
      return new TextDecoder().decode(stdout);
    };
    const [descriptors, environment] = (await gateway.call(look, LOOK)).split("\n\n") as [string, string];
    // Its own three, whatever the process holds, and what the whole program was given by whoever has started it.
    const [given] = (await look(LOOK)).split("\n\n");
    assertEquals(descriptors, given);
    // The environment of the program comes along, though the code itself may read none of it.
    assertMatch(environment, new RegExp(`^${VARIABLE}=`, "m"));
    const own = await gateway.call((name: string) => {
      try {
        return Deno.env.get(name);
      } catch (error) {
        return (error as Error).name;
      }
    }, VARIABLE);
    assertEquals(own, "NotCapable");
    // Of ours there is the mark by which it is found and ended, and nothing that would open anything.
    const ours = environment.split("\n").filter((line) =>
      line.startsWith("EXECNET_") && !line.startsWith("EXECNET_TEST")
    );
    for (const line of ours) assertMatch(line, /^EXECNET_GATEWAY_[0-9a-f]{32}=1$/);
    assert(place.inside ? ours.length === 0 : ours.length === 1, ours.join());
    await gateway.terminate();
  },
);

alone("writing to the link of a gateway that a shell has started, by a child process", async () => {
  await using group = await Group.create(
    ["command=env//execmodel=main//allow-run=sh//id=victim", "popen//execmodel=main//id=other"],
    { stderr: "null" },
  );
  const victim = group.get("victim")!;
  const run = async (script: string): Promise<string> => {
    const { stdout } = await new Deno.Command("sh", { args: ["-c", script] }).output();
    return new TextDecoder().decode(stdout);
  };
  const descriptors = (text: string): Set<string> => new Set(text.trim().split("\n"));
  const inherited = descriptors(await victim.call(run, "ls /proc/$$/fd"));
  assertEquals(inherited, descriptors(await run("ls /proc/$$/fd")).union(new Set(["3", "4"])));
  const call = victim.call(run, "head -c 4096 /dev/zero | tr '\\0' '\\376' >&4; sleep 30");
  await call.catch(() => {});
  assertMatch((await victim.closed).reason, /ProtocolError/);
  assertEquals(await group.get("other")!.call((n: number) => n + 1, 1), 2);
});
