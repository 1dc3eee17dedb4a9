/** What is measured, with how much work, against whom, and what it should come to. */

import { atLeast, atMost, capnweb, entry, execnet, inBothModels, per, raw } from "./entry.ts";
import type { Entry } from "./entry.ts";
import { FAR_ENTRIES } from "./rows_far.ts";
import { GROWTH_ENTRIES } from "./rows_growth.ts";
import { RSYNC_ENTRIES } from "./rows_rsync.ts";

// Causes that goals share.
const BULK =
  "on the link of an execution a MiB is 5 writes and 6 reads, on a gateway's 8 and 12: the writer takes twice the " +
  "bare socket's processor time, and the reader sleeps four times a MiB where the bare one does once";
const START =
  "in main a start takes execnet's processor time, twice that of a bare Deno; the Worker doubles it: its " +
  "constructor, compiling the agent in it, and its first execution, where nothing is compiled yet";
const UNDER_BULK =
  "the caller's one thread takes in the bulk between a ping and its echo, and three busy threads share the processors";
const MEMORY =
  "of what it has more, five sixths are pages of Deno's executable that an agent has used, which all Denos share";
const AGENT = "one text for every execution model and every kind of link; it is minified, and not packed";
const EXEC_MAIN =
  "it takes execnet's processor time, on one thread of each side where execnet has two that overlap";
const EXEC_WORKER =
  "an execution takes 2.7 times a bare Worker's processor time, nearly all in the Worker's own threads: compiling the " +
  "agent and running it for the first time";
const FIRST_WORKER =
  "a spare has rehearsed, and still: after such a pause an execution in main, whose isolate has run hundreds, takes " +
  "half of it, as threads that have slept wake slowly, and a bare warm Worker takes 0.6 ms for its first answer";
const EXEC_PROCESS =
  "an execution takes 2.5 times a bare Deno's processor time: the guard's shell, compiling the agent, and starting " +
  "the process, which blocks the router";
const FIRST_PROCESS = "as in a Worker: processes that have slept wake slowly, and two of them are on the way";
const CALL = "one at a time a call is a round trip, and costs what one costs";
const MANY =
  "the processors are the limit: in main a gateway takes execnet's processor time, twice that of a bare Deno; " +
  "the Worker doubles it";
const WORKERS =
  "20 bare Workers alone take half of execnet's time: constructors block one after the other, and ours compile the " +
  "agent on top, which takes 2.7 times the processor time";
const CHANNELS =
  "30 to 40 µs of processor time a channel on each side, about half of what execnet takes, in code that has hardly " +
  "been compiled yet";
const HOT =
  "the bare socket between two Denos takes 0.5 to 0.8 of execnet's time; the rest is frames, codec and promises, " +
  "some 30 µs of processor time on each side";

const blocks = (direction: string): Entry[] =>
  inBothModels(`bulk-${direction}`, {
    size: 1000,
    item: per("MiB", 1),
    unit: "MiB/s",
    peers: [
      execnet(`bulk-${direction}`, 300, atLeast(3, BULK)),
      raw("raw socket", `bulk-${direction}`, "socket", 1000, atLeast(0.8, BULK)),
      raw("raw pipe", `bulk-${direction}`, "pipe", 300),
    ],
  });

/** Everything, in the order of the table. */
export const ENTRIES: readonly Entry[] = [
  entry("start", {
    latency: true,
    item: per("gateway", 1),
    steps: "worker",
    size: 5,
    unit: "ms",
    peers: [
      execnet("start", 5, atMost(1.0, START)),
      raw("bare deno run", "deno-run", "time", 5, atMost(2.0, START)),
    ],
  }),
  entry("ping", {
    kind: "worker",
    latency: true,
    size: 1500,
    item: per("round trip", 1),
    unit: "µs",
    peers: [
      execnet("ping", 1500, atMost(0.8, HOT)),
      raw("raw socket+worker", "ping", "socket+worker", 1500, atMost(2.0, HOT)),
      raw("raw pipe+worker", "ping", "pipe+worker", 1500),
      capnweb("ping", 1500),
    ],
  }),
  entry("ping-main", {
    task: "ping",
    kind: "main",
    latency: true,
    size: 1500,
    item: per("round trip", 1),
    unit: "µs",
    peers: [
      execnet(
        "ping",
        1500,
        atMost(0.5, "the bare socket between two Denos alone takes 0.5 to 0.8 of execnet's round trip"),
      ),
      raw("raw socket", "ping", "socket", 1500, atMost(1.3, HOT)),
      raw("raw pipe", "ping", "pipe", 1500),
      capnweb("ping", 1500),
    ],
  }),
  ...inBothModels("ints-in", {
    size: 1_000_000,
    item: per("1,000 items", 1000),
    unit: "/s",
    peers: [execnet("ints-in", 100_000, atLeast(15))],
  }),
  ...inBothModels("ints-out", {
    size: 1_000_000,
    item: per("1,000 items", 1000),
    unit: "/s",
    peers: [execnet("ints-out", 100_000, atLeast(15))],
  }),
  ...inBothModels("dicts-in", {
    size: 200_000,
    item: per("1,000 items", 1000),
    unit: "/s",
    peers: [execnet("dicts-in", 20_000, atLeast(15))],
  }),
  ...blocks("in"),
  ...blocks("out"),
  entry("ping-under-bulk", {
    kind: "worker",
    latency: true,
    size: 300,
    item: per("round trip", 1),
    unit: "µs",
    figures: [
      { key: "ping", label: "", unit: "µs" },
      { key: "bulk", label: "bulk meanwhile", unit: "MiB/s" },
    ],
    peers: [
      execnet("ping-under-bulk", 100, atMost(0.4, UNDER_BULK)),
      {
        name: "own idle ping",
        player: "ours",
        task: "idle-ping",
        kind: "worker",
        size: 1500,
        goal: atMost(2, UNDER_BULK),
      },
    ],
  }),
  entry("unread", {
    kind: "worker",
    fresh: true,
    size: 8000,
    item: per("64 KiB", 1),
    unit: "MiB",
    figures: [
      { key: "both", label: "both sides", unit: "MiB", goal: atMost(8) },
      { key: "local", label: "local", unit: "MiB" },
      { key: "remote", label: "remote", unit: "MiB" },
    ],
    peers: [execnet("unread", 8000)],
  }),
  ...(["main", "worker", "process"] as const).map((model) =>
    entry("memory", {
      kind: model,
      variant: model === "main" ? "main" : `${model} (with its warm spare)`,
      fresh: true,
      size: 1,
      item: per("gateway", 1),
      unit: "MiB",
      peers: [
        raw("bare idle deno run", "memory", "", 1, model === "main" ? atMost(1.15, MEMORY) : undefined),
        execnet("memory", 1),
      ],
    })
  ),
  entry("agent", { size: 1, once: true, unit: "KiB", goal: atMost(32, AGENT) }),
  entry("exec-main", {
    task: "exec",
    kind: "main",
    size: 1000,
    item: per("execution", 1),
    unit: "/s",
    peers: [execnet("exec", 1000, atLeast(1.5, EXEC_MAIN))],
  }),
  entry("exec-worker", {
    task: "exec",
    kind: "worker",
    size: 60,
    item: per("execution", 1),
    unit: "/s",
    peers: [raw("bare new Worker", "worker", "", 60, atLeast(0.9, EXEC_WORKER))],
  }),
  entry("exec-worker", {
    variant: "first item",
    task: "first-item",
    kind: "worker",
    latency: true,
    size: 5,
    item: per("execution", 1),
    unit: "ms",
    goal: atMost(1, FIRST_WORKER),
  }),
  entry("exec-process", {
    task: "exec",
    kind: "process",
    size: 20,
    item: per("execution", 1),
    unit: "/s",
    peers: [raw("bare deno run", "deno-run", "rate", 20, atLeast(0.9, EXEC_PROCESS))],
  }),
  entry("exec-process", {
    variant: "first item",
    task: "first-item",
    kind: "process",
    latency: true,
    size: 5,
    item: per("execution", 1),
    unit: "ms",
    goal: atMost(2, FIRST_PROCESS),
  }),
  ...inBothModels("call", {
    size: 1500,
    item: per("call", 1),
    unit: "/s",
    peers: [execnet("exec", 1000, atLeast(1.5, CALL))],
  }),
  ...inBothModels("calls-100", {
    size: 10_000,
    item: per("call", 1),
    unit: "/s",
    peers: [execnet("execs-100", 2000, atLeast(3)), capnweb("calls-100", 10_000)],
  }),
  ...inBothModels("many", {
    size: 20,
    item: per("gateway", 1),
    steps: "worker",
    unit: "ms",
    peers: [
      execnet("many", 20, atMost(0.8, MANY)),
      raw("20 bare deno run", "deno-runs", "", 20, atMost(1.2, MANY)),
    ],
  }),
  entry("workers", {
    fresh: true,
    size: 20,
    item: per("gateway", 1),
    unit: "ms",
    figures: [
      { key: "time", label: "", unit: "ms" },
      { key: "rss", label: "RSS each", unit: "MiB", goal: atMost(10) },
    ],
    peers: [
      execnet("workers", 20, atMost(0.5, WORKERS)),
      raw("20 bare new Worker", "workers", "", 20),
    ],
  }),
  ...inBothModels("channels", {
    fresh: true,
    size: 10_000,
    item: per("channel", 1),
    unit: "/s",
    figures: [
      { key: "rate", label: "", unit: "/s" },
      { key: "local", label: "RSS each, local", unit: "B" },
      { key: "remote", label: "RSS each, remote", unit: "B" },
    ],
    peers: [execnet("channels", 10_000, atLeast(2, CHANNELS))],
  }),
  ...GROWTH_ENTRIES,
  ...FAR_ENTRIES,
  ...RSYNC_ENTRIES,
];
