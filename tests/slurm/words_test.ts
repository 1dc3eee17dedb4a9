import { assert, assertEquals, assertMatch } from "jsr:@std/assert@^1.0.19";
import { HOLD_SCRIPT, STEP_SHELL } from "../../gateway/slurm/scripts.ts";
import { allocationWords, fitsOuterJob, stepWords } from "../../gateway/slurm/words.ts";
import { explainSlurm, explainWaiting, type SlurmErrorKind } from "../../gateway/slurm/explain.ts";
import { test } from "../helpers/bounded.ts";

test("allocationWords() asks for one node where nothing is said", () => {
  const words = allocationWords({}, "name");
  assert(words.includes("--nodes=1-1"));
  assert(words.includes("--job-name=name"));
  assertEquals(words.filter((word) => /partition|account|time/.test(word)), []);
});

test("allocationWords() says every key, each value in a word with its option", () => {
  const words = allocationWords({ nodes: 3, partition: "-x y", account: "a;b", time: "1-12" }, "name");
  for (const word of ["--nodes=3-3", "--partition=-x y", "--account=a;b", "--time=1-12"]) {
    assert(words.includes(word), word);
  }
});

test("allocationWords() holds options only, so that a command can follow", () => {
  for (const word of allocationWords({ nodes: 2, partition: "p" }, "name")) {
    assertMatch(word, /^--[a-z-]+(=|$)/);
  }
});

test("stepWords() names the node, one task and the job", () => {
  const words = stepWords("17", 2, "name");
  for (
    const word of ["--unbuffered", "--jobid=17", "--relative=2", "--nodes=1-1", "--ntasks=1", "--overlap"]
  ) {
    assert(words.includes(word), word);
  }
});

test("fitsOuterJob() is true unless something of an allocation of its own is named", () => {
  assert(fitsOuterJob({}));
  assert(fitsOuterJob({ nodes: 3 }));
  assert(!fitsOuterJob({ partition: "p" }));
  assert(!fitsOuterJob({ account: "a" }));
  assert(!fitsOuterJob({ time: "1" }));
});

test("The shell scripts are accepted by the shell", async () => {
  for (const script of [HOLD_SCRIPT, STEP_SHELL[2]!]) {
    const { success, stderr } = await new Deno.Command("/bin/sh", {
      args: ["-n", "-c", script],
      stdin: "null",
    })
      .output();
    assert(success, new TextDecoder().decode(stderr));
  }
});

test("The words of a step forget the variables of an outer job, but not where Slurm is", async () => {
  const [shell, flag, script, name] = STEP_SHELL;
  const { stdout } = await new Deno.Command(shell!, {
    args: [flag!, script!.replace("exec srun", "exec env"), name!],
    env: {
      SLURM_JOB_ID: "7",
      SLURM_CPUS_PER_TASK: "2",
      SLURM_LABELIO: "1",
      SLURM_CONF: "/x",
      OTHER: "SLURM_X=1\nSLURM_Y=2",
    },
    stdin: "null",
  }).output();
  const text = new TextDecoder().decode(stdout);
  assertEquals(text.match(/^SLURM_(?!Y)\w+=.*/gm), ["SLURM_CONF=/x"]);
  assertMatch(text, /^OTHER=SLURM_X=1$/m);
});

test("Outside a job the words of a step forget only what would spoil the bytes", async () => {
  const [shell, flag, script, name] = STEP_SHELL;
  const { stdout } = await new Deno.Command(shell!, {
    args: [flag!, script!.replace("exec srun", "exec env"), name!],
    env: { SLURM_LABELIO: "1", SLURM_CPU_BIND: "none" },
    stdin: "null",
    clearEnv: true,
  }).output();
  assertEquals(new TextDecoder().decode(stdout).match(/^SLURM_.*/gm), ["SLURM_CPU_BIND=none"]);
});

/** What Slurm writes, and what that is to mean. */
const MESSAGES: readonly [text: string, code: number, kind: SlurmErrorKind, state: RegExp][] = [
  ["sh: 1: salloc: not found", 127, "exit", /not on PATH/],
  ["srun: error: Unable to allocate resources: Invalid qos specification", 1, "refused", /quality/],
  [
    "salloc: error: Job submit/allocate failed: User's group not permitted to use this partition",
    1,
    "auth",
    /not permitted/,
  ],
  [
    "salloc: error: Job submit/allocate failed: Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)",
    1,
    "refused",
    /limit/,
  ],
  [
    "salloc: error: Job submit/allocate failed: Requested time limit is invalid (missing or exceeds some limit)",
    1,
    "refused",
    /time limit is not accepted/,
  ],
  [
    "salloc: error: Job submit/allocate failed: Node count specification invalid",
    1,
    "refused",
    /no such nodes/,
  ],
  [
    "srun: error: Unable to create step for job 36: Job/step already completing or completed",
    1,
    "exit",
    /is over/,
  ],
  ["slurmstepd-n1: error: execve(): /x/sh: No such file or directory", 2, "exit", /no such program/],
  ["something new", 3, "exit", /code 3/],
];

for (const [text, code, kind, state] of MESSAGES) {
  test(`explainSlurm() knows ${JSON.stringify(text.slice(-50))}`, () => {
    const failure = explainSlurm(code, text);
    assertEquals(failure.kind, kind);
    assertMatch(failure.state, state);
  });
}

test("explainWaiting() tells a queue from a controller that is silent, and from what will never be", () => {
  assertMatch(explainWaiting("salloc: job 15 queued and waiting for resources\n").state, /job 15 waits/);
  assertMatch(
    explainWaiting("salloc: Requested partition configuration not available now").state,
    /partition/,
  );
  assertMatch(explainWaiting("").state, /controller/);
  assertEquals(explainWaiting("salloc: error: s_p_parse_file: cannot stat file /x").kind, "host");
});
