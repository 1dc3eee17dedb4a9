import { assertEquals, assertMatch } from "jsr:@std/assert@^1.0.19";
import { test } from "../helpers/bounded.ts";
import { withFolder } from "../helpers/folder.ts";
import { endedByPart, LeakCheck, nothingLeft, processState, startedByPart } from "../helpers/leaks.ts";
import { failing, findProgram, lacking, needs, part } from "./need.ts";
import { run } from "./run.ts";

const ROOT = new URL("../../", import.meta.url);

test("needs() gives the reasons of all missing parts, and probes once", () => {
  let probes = 0;
  const gone = part("gone", () => {
    probes++;
    return lacking("sh", "no-such-program");
  });
  const there = part("there", () => failing(["true"]));
  assertEquals(needs(there), { met: true });
  assertEquals(needs([there, gone]), { met: false, reason: `gone: no program "no-such-program"` });
  assertEquals(needs(gone).met, false);
  assertEquals(probes, 1);
  assertMatch(failing(["ls", "/no-such-file"])!, /^"ls \/no-such-file" fails: .*No such file/);
  assertMatch(findProgram("sh")!, /\/sh$/);
});

for (const ci of [false, true]) {
  test(`testWith() ${ci ? "fails with CI=true" : "ignores a test"} where a part is missing`, async () => {
    await withFolder(async (folder) => {
      const need = new URL("./need.ts", import.meta.url).href;
      await Deno.writeTextFile(
        `${folder}/some_test.ts`,
        `import { part, shared, testWith } from ${JSON.stringify(need)};
         const NONE = part("none", () => "not made yet");
         const none = shared(NONE, () => Promise.reject(new Error("started")));
         testWith(NONE, "one", () => { none(); });
         testWith(NONE, "two", () => { none(); });
         testWith([], "three", () => {});`,
      );
      const config = new URL("deno.json", ROOT).pathname;
      const { code, stdout, stderr } = await run(
        [Deno.execPath(), "test", "--no-check", "-A", "--config", config, "--no-lock", folder],
        { env: { CI: String(ci), NO_COLOR: "1" }, mayFail: true },
      );
      assertEquals(code, ci ? 1 : 0, stdout + stderr);
      assertMatch(stdout, ci ? /1 passed \| 2 failed/ : /1 passed \| 0 failed \| 2 ignored/);
      const reason = ci
        ? /Cannot run "one" with CI=true: none: not made yet/
        : /Tests are ignored: none: not made yet/;
      assertMatch(stdout + stderr, reason);
      if (!ci) assertEquals((stdout + stderr).split("not made yet").length, 2, "printed once");
    });
  });
}

test("LeakCheck finds a process of a test and leaves those of a part alone", async () => {
  const sleep = (): Deno.ChildProcess => new Deno.Command("sleep", { args: ["1000"] }).spawn();
  const leaks = new LeakCheck();
  const ofPart = sleep();
  startedByPart(ofPart.pid);
  await leaks.done();
  const ofTest = sleep();
  const found = await leaks.done().then(() => "none", (error: Error) => error.message);
  assertMatch(found, new RegExp(`process ${ofTest.pid} .*sleep 1000`));
  assertEquals(found.includes(`process ${ofPart.pid} `), false);
  const place = { processes: () => [processState(ofPart.pid)].filter((one) => one !== undefined) };
  await nothingLeft(place, place.processes());
  assertMatch(
    await nothingLeft(place, [], 50).then(() => "none", String),
    /Left on the far side.*\n.*sleep 1000/,
  );
  for (const one of [ofPart, ofTest]) {
    one.kill("SIGKILL");
    await one.status;
  }
  endedByPart(ofPart.pid);
  await nothingLeft(place);
});
