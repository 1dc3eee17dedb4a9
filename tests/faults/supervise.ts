/** Runs programs of cells, and does from outside what a program cannot do for itself: continue it, and look when it is gone. */

import { gone, processState } from "../helpers/leaks.ts";
import { until } from "../helpers/wait.ts";
import { end, startFile } from "../integration/program.ts";
import type { Program } from "../integration/program.ts";
import { nameOf } from "./axes.ts";
import type { Cell } from "./axes.ts";
import { expectedOf } from "./expected.ts";
import { SLACK_MS } from "./play.ts";
import type { AtStep, Line, Outcome, Task } from "./play.ts";
import { clockEnv, NAP_MS } from "./stage.ts";
import type { Place } from "./stage.ts";

const PROGRAM = new URL("programs/cells.ts", import.meta.url).pathname;

/** The heap of a program that is to run out of it. */
const MEMORY_FLAGS = "--max-old-space-size=96";

/** What ends by itself, ends in this time on a busy machine. */
const CELL_MS = 90_000;

/** What comes later than is promised, and by more than a busy machine takes, is late; how it ends is waited for. */
const LATE_MS = 5_000;

/** So much of a message is told. */
const MESSAGE_CHARS = 300;

/** What became of a cell, and what is wrong with that. */
export interface Verdict {
  readonly cell: Cell;
  /** How it ended, in few words. */
  readonly how: string;
  /** The longest time that something waited after the fault. */
  readonly ms: number;
  /** Nothing when it is as it should be. */
  readonly wrong: readonly string[];
}

/** The cells that can be played in one program, in order. */
export function batches(cells: readonly Cell[], size: number): Cell[][] {
  const groups = Map.groupBy(cells, ({ fault, side, ...rest }) => {
    if (side !== "near") return "far";
    const own = ["kill", "memory", "stderr"].includes(fault);
    return own ? nameOf({ fault, side, ...rest }) : fault;
  });
  return [...groups.values()].flatMap((group) =>
    Array.from({ length: Math.ceil(group.length / size) }, (_, i) => group.slice(i * size, (i + 1) * size))
  );
}

/** Plays cells in a program. */
export async function supervise(cells: readonly Cell[], place: Place): Promise<Verdict[]> {
  const { fault, side } = cells[0]!;
  const near = side === "near";
  const task: Task = { cells, place };
  const program = startFile(PROGRAM, [JSON.stringify(task)], ["-A"], {
    ...(near && fault === "disk" ? { TMPDIR: place.disk! } : {}),
    ...(near && fault === "clock" ? clockEnv(place.clock!) : {}),
    ...(near && fault === "memory" ? { DENO_V8_FLAGS: MEMORY_FLAGS } : {}),
  });
  const lines = new Lines(program);
  const verdicts: Verdict[] = [];
  try {
    for (const cell of cells) verdicts.push(await watch(cell, program, lines));
    const { ends } = expectedOf(cells[0]!);
    // Something that is left in it would keep it from ending.
    const status = await end(program, SLACK_MS);
    if (!ends && status.code !== 0) throw new Error(`The program ended with code ${status.code}`);
  } catch (error) {
    const cell = cells[verdicts.length] ?? cells.at(-1)!;
    const wrong = [`${(error as Error).message}: ${lastWords(program)}`];
    verdicts.push({ cell, how: "-", ms: 0, wrong });
    await kill(program);
  }
  return verdicts;
}

/** What a program has said last. A Deno that panics says its arguments, too. */
function lastWords({ stderr }: Program): string {
  return stderr.text.slice(-2 * MESSAGE_CHARS);
}

async function kill(program: Program): Promise<void> {
  const { pid } = program.process;
  if (processState(pid) === undefined) return;
  program.process.kill("SIGKILL");
  await end(program);
}

/** The lines of a program as they come. */
class Lines {
  readonly #program: Program;
  #taken = 0;

  constructor(program: Program) {
    this.#program = program;
  }

  /** The next line; undefined where the program ends before. */
  next(ms: number): Promise<Line | undefined> {
    let ended = false;
    void this.#program.stdout.ended.then(() => ended = true);
    return until<{ line?: Line }>("the next line", () => {
      const { text } = this.#program.stdout;
      const to = text.indexOf("\n", this.#taken);
      if (to < 0) return ended && {};
      const line = JSON.parse(text.slice(this.#taken, to)) as Line;
      this.#taken = to + 1;
      return { line };
    }, ms).then(({ line }) => line);
  }
}

/** Sees one cell through. */
async function watch(cell: Cell, program: Program, lines: Lines): Promise<Verdict> {
  const expected = expectedOf(cell);
  let line = await lines.next(CELL_MS);
  const wrong: string[] = [];
  let how = "";
  if (line !== undefined && "at" in line) {
    wrong.push(...await outside(cell, program, line.at));
    if (expected.ends) how = "ends with its program";
    else line = await lines.next(CELL_MS);
  }
  if (how !== "") return { cell, how, ms: 0, wrong };
  if (line === undefined || !("outcome" in line)) {
    return { cell, how: "-", ms: 0, wrong: [...wrong, `the program has ended: ${lastWords(program)}`] };
  }
  return judge(cell, line.outcome, wrong);
}

/** What happens to the program itself. */
async function outside(cell: Cell, program: Program, { agent }: AtStep): Promise<string[]> {
  const { fault, side, step } = cell;
  const { pid } = program.process;
  if (side !== "near") return [];
  if (fault === "kill" || fault === "memory") {
    const status = await end(program, CELL_MS);
    const wrong = status.signal === null ? [`it ended with code ${status.code}: ${lastWords(program)}`] : [];
    return [...wrong, ...await isGone(agent, 0)];
  }
  if (fault !== "stop" && fault !== "nap") return [];
  await until("it stands still", () => processState(pid)?.state === "T", SLACK_MS);
  try {
    if (fault === "nap") {
      await new Promise((resolve) => setTimeout(resolve, NAP_MS));
      return [];
    }
    // Before the greeting the far side waits for as long as its starter takes.
    return step === "connecting" ? [] : await isGone(agent, expectedOf(cell).ms);
  } finally {
    Deno.kill(pid, "SIGCONT");
  }
}

async function isGone(agent: number, ms: number): Promise<string[]> {
  if (agent === 0) return [];
  return await gone(agent, ms + SLACK_MS).then(() => [], ({ message }) => [`its far side lives: ${message}`]);
}

/** Names of what faults set off, and not the steps. */
const OWN: ReadonlySet<string> = new Set(["hoarding", "printing"]);

function judge(cell: Cell, { endings, witness, open, failure }: Outcome, before: readonly string[]): Verdict {
  const { how, own, ms } = expectedOf(cell);
  const wrong = [...before];
  if (failure !== undefined) wrong.push(failure);
  for (const one of endings) {
    const expected = OWN.has(one.what) ? own : how;
    if (!one.named) wrong.push(`${one.what} ended in what has no name: ${one.how}: ${one.message}`);
    if (!expected.some((words) => words.test(one.how))) {
      wrong.push(
        `${one.what}: ${one.how}, not ${expected.join(" or ")}: ${one.message.slice(0, MESSAGE_CHARS)}`,
      );
    }
    if (one.ms > ms + LATE_MS) wrong.push(`${one.what} took ${one.ms} ms`);
  }
  if (failure === undefined && endings.length === 0) wrong.push("nothing waited");
  if (failure === undefined && witness !== "goes on") wrong.push(`the other gateway: ${witness}`);
  if (open.length > 0) wrong.push(`left open: ${open.join(", ")}`);
  const words = [...new Set(endings.map((one) => one.how))].join(", ");
  return { cell, how: words, ms: Math.max(0, ...endings.map((one) => one.ms)), wrong };
}
