/** `execnet doctor`: which step of connecting fails, and how to mend it. */

import { Group, XSpec, XSpecError } from "../../mod.ts";
import { checkSpecs } from "../../gateway/probe/mod.ts";
import type { Command, Given } from "../command.ts";
import { EXIT, Failure, UsageError } from "../failure.ts";
import { JSON_OUTPUT } from "../options.ts";
import type { Terminal } from "../terminal.ts";
import { allSteps, examine, skipping } from "./examine.ts";
import type { ExamineOptions } from "./examine.ts";
import type { Outcome } from "./outcome.ts";
import { forPeople, jsonLines } from "./show.ts";

const STEP_TIMEOUT_MS = 10_000;

/** As long as any gateway gets. */
const START_TIMEOUT_MS = 30_000;

const MAX_SPECS = 64;

/** The command. */
export const doctor: Command = {
  name: "doctor",
  summary: "finds out which step of connecting fails, and how to mend it",
  usage: "<spec>... [options]",
  description:
    `Walks the steps of connecting: name, port, host key, login, shell, Deno, handshake, permissions, round-trip
time, throughput; which of them there are depends on the spec. Says which one fails, what the other side says, and what
to do. Several specs are examined one after another; what via= or installvia= name is examined before.

It ends with 0 when all is well, 3 when there is no connection, 1 when there is one that is not as the spec says.`,
  options: [
    JSON_OUTPUT,
    {
      name: "hop",
      value: "SPEC",
      repeatable: true,
      tells: "examine this gateway, too: the others may name it by via= or installvia=; it needs an id=",
    },
    {
      name: "connect-timeout",
      value: "MS",
      tells:
        `how long each step may take, in milliseconds (default ${STEP_TIMEOUT_MS}; the start ${START_TIMEOUT_MS})`,
    },
  ],
  examples: [
    ["execnet doctor ssh=build1", "why does build1 not answer?"],
    [
      "execnet doctor --hop ssh=login//id=hop//allow-run ssh=node7//via=hop",
      "each step to login, and from there to node7",
    ],
    ["execnet doctor --json ssh=build1", "each step as a line of JSON"],
  ],
  words: [1, MAX_SPECS],
  run,
};

async function run(given: Given, terminal: Terminal): Promise<number> {
  const specs = readSpecs([...given.texts("hop"), ...given.words]);
  const timeout = given.count("connect-timeout", 1);
  const show = given.flag("json") ? jsonLines(terminal) : forPeople(terminal);
  const failed = new Set<string>();
  let code: number = EXIT.ok;
  await using group = new Group();
  for (const spec of specs) {
    const outcomes: Outcome[] = [];
    await show.begin(spec, specs.length > 1);
    for await (
      const outcome of examineOne(spec, failed, {
        group,
        signal: terminal.signal,
        timeout: timeout ?? STEP_TIMEOUT_MS,
        startTimeout: timeout ?? START_TIMEOUT_MS,
        under: (step) => show.under(step),
      })
    ) {
      outcomes.push(outcome);
      await show.step(outcome);
    }
    await show.end(spec, outcomes);
    if (!group.has(spec.id!)) {
      failed.add(spec.id!);
      code = EXIT.unreachable;
    } else if (outcomes.some(({ state }) => state === "failed") && code === EXIT.ok) code = EXIT.failed;
  }
  return code;
}

/** One spec, unless what it is started from has not started. */
function examineOne(
  spec: XSpec,
  failed: ReadonlySet<string>,
  options: ExamineOptions,
): AsyncGenerator<Outcome> | Generator<Outcome> {
  const from = spec.via ?? spec.installvia;
  if (from === undefined) return examine(spec, options);
  if (failed.has(from)) return skipping(spec, allSteps(spec), `"${from}" has not started`);
  return examine(spec, { ...options, hop: options.group.get(from) });
}

/** The specs, each behind what it is started from, and each with an id. */
function readSpecs(words: readonly string[]): XSpec[] {
  const specs = words.map((word) => new XSpec(word));
  const taken = new Set<string>();
  for (const { id } of specs) {
    if (id === undefined) continue;
    if (taken.has(id)) throw new UsageError(`Two specs have the id "${id}"`, "doctor");
    taken.add(id);
  }
  let next = 0;
  for (const spec of specs) {
    if (spec.id !== undefined) continue;
    while (taken.has(`gw${next}`)) next++;
    spec.id = `gw${next++}`;
  }
  try {
    checkSpecs(specs);
  } catch (error) {
    if (!(error instanceof XSpecError) || !/there is no gateway/.test(error.message)) throw error;
    const { via, installvia } = new XSpec(error.spec);
    const hop = via ?? installvia;
    const advice =
      `Give the spec of "${hop}" as well: execnet doctor --hop 'ssh=HOST//id=${hop}//allow-run' …`;
    throw new Failure(error.message, advice, EXIT.usage, { cause: error });
  }
  return inOrder(specs);
}

/** Those that others are started from come first; otherwise it stays the order in which they were given. */
function inOrder(specs: readonly XSpec[]): XSpec[] {
  const ordered: XSpec[] = [];
  const add = (spec: XSpec): void => {
    if (ordered.includes(spec)) return;
    const from = spec.via ?? spec.installvia;
    const hop = specs.find(({ id }) => id === from);
    if (from !== undefined && hop !== undefined) add(hop);
    ordered.push(spec);
  };
  for (const spec of specs) add(spec);
  return ordered;
}
