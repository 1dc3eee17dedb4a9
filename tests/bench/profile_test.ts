import { assert, assertEquals, assertStringIncludes } from "jsr:@std/assert@^1.0.19";
import { test } from "../helpers/bounded.ts";
import { atMost, per } from "./entry.ts";
import { ENTRIES } from "./rows.ts";
import { parseStat, parseThread, PLAYER_MARK, takeSnapshot } from "./proc.ts";
import type { Cost, Process, Snapshot, Thread } from "./proc.ts";
import { perItem, processorTime, profileOf, sumOfProfiles } from "./profile.ts";
import { textLines } from "./player.ts";
import type { EntryProfile, Usage } from "./profile.ts";
import { formatProfiles, shownProfiles } from "./profile_text.ts";
import { parseTrace, stepsOf } from "./steps.ts";
import type { Result } from "./table.ts";

const STAT =
  "25022 (a) (b c) S 25004 25022 25022 0 -1 4194560 6341 77 0 0 9 3 40 20 20 0 7 0 7559875 19484819456 " +
  "14362 18446744073709551615";

test("parseStat() and parseThread() read what /proc says, whatever the name", () => {
  assertEquals(parseStat(STAT), {
    name: "a) (b c",
    parent: 25004,
    born: 7559875,
    own: { user: 90, system: 30, faults: 6341 },
    ended: { user: 400, system: 200, faults: 77 },
  });
  const status = "Name:\tx\nvoluntary_ctxt_switches:\t252\nnonvoluntary_ctxt_switches:\t89\n";
  assertEquals(parseThread(STAT, "68916554 159162621 341\n", status), {
    name: "a) (b c",
    time: 68.916554,
    waited: 159.162621,
    user: 90,
    system: 30,
    faults: 6341,
    sleeps: 252,
    preempted: 89,
  });
});

const NOTHING: Cost = { user: 0, system: 0, faults: 0 };

function thread(name: string, time: number, more: Partial<Thread> = {}): Thread {
  return { name, time, waited: 0, user: 0, system: 0, faults: 0, sleeps: 0, preempted: 0, ...more };
}

function process(depth: number, parent: number, more: Partial<Process>): Process {
  return { name: "deno", parent, depth, born: 1, own: NOTHING, ended: NOTHING, threads: new Map(), ...more };
}

/** A caller (1), its far side (2), and a process of that (3) that ends between the two. */
const BEFORE: Snapshot = new Map([
  [
    1,
    process(0, 0, {
      own: { user: 60, system: 40, faults: 10 },
      threads: new Map([[1, thread("deno", 100)]]),
    }),
  ],
  [
    2,
    process(1, 1, { own: { user: 10, system: 0, faults: 5 }, threads: new Map([[2, thread("deno", 10)]]) }),
  ],
  [
    3,
    process(2, 2, { own: { user: 300, system: 0, faults: 9 }, ended: { user: 100, system: 0, faults: 1 } }),
  ],
]);
const AFTER: Snapshot = new Map([
  [
    1,
    process(0, 0, {
      own: { user: 260, system: 240, faults: 110 },
      threads: new Map([
        [1, thread("deno", 300, { waited: 50, user: 90, system: 30, faults: 60, sleeps: 400, preempted: 4 })],
        [9, thread("worker-3", 120, { user: 120, faults: 40, sleeps: 200 })],
      ]),
    }),
  ],
  [
    2,
    process(1, 1, {
      own: { user: 30, system: 0, faults: 5 },
      ended: { user: 450, system: 50, faults: 30 },
      threads: new Map([[2, thread("deno", 30, { sleeps: 2 })]]),
    }),
  ],
]);

const find = (usages: readonly Usage[], process: string, thread: string): Usage =>
  usages.find((one) => one.process === process && one.thread === thread)!;

test("profileOf() says what each kind of thread took, and what those took that ended", () => {
  const profile = profileOf(BEFORE, AFTER, 500, 100);
  const { usages } = profile;
  assertEquals(find(usages, "caller", "main").time, 200);
  assertEquals(find(usages, "caller", "Workers").time, 120);
  // 400 of the process, 320 of the threads that are there.
  assertEquals(find(usages, "caller", "ended threads").time, 80);
  assertEquals(find(usages, "› deno", "main").time, 20);
  // 500 came to the far side by the end of the third, 400 of which had been taken before.
  const dead = find(usages, "processes that ended", "ended");
  assertEquals([dead.time, dead.faults, dead.sleeps], [100, 20, null]);
  assertEquals(profile.busiest, { name: "caller, main", time: 200 });
});

test("profileOf() takes a process for a new one that has the id of an old one", () => {
  const reused: Snapshot = new Map(BEFORE);
  reused.set(2, { ...BEFORE.get(2)!, born: 2 });
  // What the old one has taken came to the caller, which waited for it; that was before.
  reused.set(1, { ...BEFORE.get(1)!, ended: { user: 10, system: 0, faults: 5 } });
  const { usages } = profileOf(BEFORE, reused, 1, 1);
  assertEquals(find(usages, "› deno", "main").time, 10);
  assertEquals(find(usages, "processes that ended", "ended").time, 0);
});

test("perItem() divides sums of rounds by their items, and leaves out what is nothing", () => {
  const round = profileOf(BEFORE, AFTER, 500, 100);
  const each = perItem(sumOfProfiles([round, profileOf(BEFORE, AFTER, 700, 100)])!);
  assertEquals([each.items, each.wall, each.busiest.time], [1, 6, 2]);
  assertEquals(find(each.usages, "caller", "main"), {
    process: "caller",
    thread: "main",
    time: 2,
    user: 1.5,
    system: 0.5,
    faults: 0.6,
    waited: 0.5,
    sleeps: 4,
    preempted: 0.04,
  });
  assertEquals(find(each.usages, "processes that ended", "ended").system, 0.5);
  assertEquals(processorTime(each), { all: 5.2, ended: 1.8 });
  // Too few ticks to say how its time is divided.
  assertEquals(find(each.usages, "› deno", "main").system, null);
  const idle = new Map(
    [...AFTER.entries()].map(([id, one]) =>
      [id, { ...one, threads: new Map([...one.threads, [50 + id, thread("tokio", 0.5)]]) }] as const
    ),
  );
  const others = perItem(profileOf(BEFORE, idle, 500, 100)).usages.filter((one) => one.thread === "others");
  assertEquals(others, []);
});

test("takeSnapshot() finds what was started, also when its parent has ended", async () => {
  const mark = crypto.randomUUID();
  // The shell that starts the sleeping one ends at once.
  const child = new Deno.Command("sh", {
    args: ["-c", "(sleep 60 & echo $!); echo up; read _"],
    env: { [PLAYER_MARK]: mark },
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const lines = textLines(child.stdout).getReader();
  const orphan = Number((await lines.read()).value);
  try {
    assertEquals((await lines.read()).value, "up");
    const snapshot = takeSnapshot(child.pid, mark);
    assertEquals([...snapshot.keys()].sort((a, b) => a - b), [child.pid, orphan].sort((a, b) => a - b));
    assertEquals(snapshot.get(child.pid)!.depth, 0);
    assertEquals(snapshot.get(orphan)!.depth, 1);
    assertEquals([...snapshot.get(orphan)!.threads.keys()], [orphan]);
    assert(takeSnapshot(0, "another", [child.pid]).has(child.pid));
  } finally {
    Deno.kill(orphan, "SIGKILL");
    child.kill("SIGKILL");
    await lines.cancel();
    await child.stdin.close().catch(() => {});
    await child.status;
  }
});

const PROFILE: EntryProfile = {
  row: "ping idle",
  item: "round trip",
  cores: 2,
  stepsOf: undefined,
  sides: ["ours", "execnet", "raw socket"].map((name) => ({
    name,
    profile: perItem(profileOf(BEFORE, AFTER, 500, 100)),
  })),
};

function result(goal: number, theirs: number, cause?: string): Result {
  return {
    id: "ping",
    variant: "idle",
    unit: "µs",
    samples: [10],
    profile: PROFILE,
    peers: [
      { name: "execnet", samples: [theirs], goal: atMost(goal, cause) },
      { name: "raw socket", samples: [10] },
    ],
  };
}

test("shownProfiles() and formatProfiles() show the rows that miss, with their causes, or all", () => {
  assertEquals(shownProfiles([result(1, 10)], false), []);
  assertEquals(shownProfiles([result(1, 10)], true).length, 1);
  // Both figures of a measurement share its profile.
  const missed = shownProfiles([result(1, 5, "It is the hop."), result(1, 5)], false);
  assertEquals(missed.map(({ misses }) => misses.map(({ cause }) => cause)), [["It is the hop.", null]]);
  const text = formatProfiles(missed);
  for (
    const part of [
      "MISS: ping idle is 2.00 of execnet, goal ≤ 1",
      "cause: It is the hop.",
      "cause: not known",
      "ours: wall 5000 µs, processors 5200 µs (52 % of 2); the busiest thread (caller, main) is idle 60 %",
      "execnet: wall",
    ]
  ) assertStringIncludes(text, part);
  assertEquals(/raw socket/.test(text), false);
});

test("every row is told for some item that its size has a whole number of", () => {
  for (const { id, item, ours, peers } of ENTRIES) {
    for (const { size } of [ours, ...peers]) {
      assert(item.size === undefined || size % item.size === 0, `${id}: ${size} by ${item.size}`);
    }
  }
  assertEquals(per("copy"), { noun: "copy", size: undefined });
});

/** A start as strace shows it, shortened. 10 is the caller, 20 the far side, 21 its Worker. */
const TRACE = `10 1.000000 bind(21, {sa_family=AF_UNIX, sun_path="/tmp/execnet-ba/s"}, 34) = 0
10 1.001000 recvfrom(27,  <unfinished ...>
20 1.002000 execve("/bin/sh", ["/bin/sh", "-c"], 0x55 /* 35 vars */) = 0
20 1.003000 execve("/usr/bin/deno", ["deno"], 0x55 /* 35 vars */ <unfinished ...>
10 1.003500 <... recvfrom resumed>"", 8, 0, NULL, NULL) = 0
20 1.004000 <... execve resumed>) = 0
20 1.020000 connect(21, {sa_family=AF_UNIX, sun_path="/tmp/execnet-ba/s"}, 34) = 0
20 1.021000 sendto(21, "\\267", 16, MSG_NOSIGNAL, NULL, 0) = 16
21 1.022000 prctl(PR_SET_NAME, "worker-1") = 0
10 1.023000 sendto(24, "\\0\\1"..., 106192, MSG_NOSIGNAL, NULL, 0) = 106192
20 1.035000 recvfrom(21, "\\0", 4, 0, NULL, NULL) = 4
20 1.035100 recvfrom(21,  <unfinished ...>
20 1.036000 <... recvfrom resumed>"var"..., 106033, 0, NULL, NULL) = 106033
20 1.041000 recvfrom(21, 0x55, 65536, 0, NULL, NULL) = -1 EAGAIN (Resource temporarily unavailable)
20 1.045000 sendto(21, "\\0\\377execnet", 164, MSG_NOSIGNAL, NULL, 0) = 164
10 1.046000 sendto(24, "\\20", 80, MSG_NOSIGNAL, NULL, 0) = 80
20 1.047000 recvfrom(21, "\\20", 65536, 0, NULL, NULL) = 80
21 1.048000 sendto(28, "\\267", 22, MSG_NOSIGNAL, NULL, 0) = 22
20 1.049000 sendto(21, "\\30", 18, MSG_NOSIGNAL, NULL, 0) = 18
21 1.055000 sendto(28, "\\30", 25, MSG_NOSIGNAL, NULL, 0) = 25
10 1.056000 recvfrom(28, "\\30", 65536, 0, NULL, NULL) = 25
20 1.060000 exit_group(0)   = ?
`;

test("stepsOf() finds the steps of a start in a trace", () => {
  const calls = parseTrace(TRACE);
  const connect = calls.find(({ name }) => name === "connect")!;
  assertEquals([connect.thread, connect.began, connect.result], [20, 1.02, 0]);
  const { starts, steps, total } = stepsOf(calls, "worker");
  assertEquals(starts, 1);
  assertEquals(steps.map(({ least }) => Math.round(least! * 10) / 10), [
    2,
    2,
    16,
    1,
    14,
    1,
    5,
    4,
    1,
    1,
    1,
    7,
    1,
  ]);
  assertEquals(Math.round(total.median!), 56);
  // A link that was there before the execution was asked for is not taken for the item.
  const early = stepsOf(
    parseTrace(
      TRACE.replace(/^21 1\.048.*\n/m, "").replace(
        /^10 1\.046/m,
        (line) => `21 1.045500 sendto(28, "\\267", 22) = 22\n${line}`,
      ),
    ),
    "worker",
  );
  assertEquals(early.steps.slice(-3).map(({ median }) => median === null ? null : Math.round(median)), [
    null,
    8,
    1,
  ]);
  // Without a link of its own, the Worker's item is sent by the far side.
  const without = parseTrace(
    TRACE.replace(/^21 .*sendto.*\n/gm, "").replace("10 1.056", "20 1.050000 sendto(21) = 25\n10 1.056"),
  );
  assertEquals(
    stepsOf(without, "worker").steps.filter(({ median }) => median === null).map(({ name }) => name),
    [
      "the Worker has a link of its own",
    ],
  );
});
