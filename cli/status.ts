/** `execnet status`: executions, channels, windows and memory of a gateway. */

import type { Channel, Gateway, RemoteStatus } from "../mod.ts";
import { clip } from "./columns.ts";
import { amount, clock } from "./units.ts";
import { CODE } from "./code.ts";
import type { Command } from "./command.ts";
import { CONNECTION, connectOne } from "./connections.ts";
import { endOf } from "./ending.ts";
import { EXECUTION, executionOf, type Fed, feed } from "./execution.ts";
import { EXIT } from "./failure.ts";
import { INPUT, inputForm, itemsOf } from "./input.ts";
import { json } from "./json.ts";
import { JSON_OUTPUT } from "./options.ts";
import { oneLine } from "./plain.ts";
import { OUTPUT_SCREEN, Redrawn } from "./screen.ts";
import type { Style } from "./style.ts";
import type { Terminal } from "./terminal.ts";
import { unless, within } from "./unless.ts";

/** What the code has been doing that runs meanwhile. */
interface Running {
  readonly fed: Fed;
  received: number;
}

/** The command. */
export const status: Command = {
  name: "status",
  summary: "shows executions, channels, windows and memory of a gateway",
  usage: "<spec> [<script> | - | -e CODE] [options]",
  description:
    `Starts a gateway and says how it stands. With code, that runs meanwhile: a status is shown when it has
started, and with --watch again and again until it ends. What the code sends is received and counted; it gets
standard input only with --in.

Of each channel: how many bytes this side may still send before the code has to read, how many wait for that, and
how many have arrived and were not received yet.`,
  options: [
    CODE,
    {
      name: "watch",
      short: "w",
      value: "MS",
      tells: "again after so many milliseconds, until the code ends",
    },
    JSON_OUTPUT,
    ...EXECUTION,
    {
      ...INPUT,
      tells: "what standard input is: none (the default), lines (an item each), json (a line each), bytes",
    },
    ...CONNECTION,
  ],
  examples: [
    ["execnet status ssh=build1", "what a process takes that does nothing"],
    ["execnet status popen//allow-read job.ts --watch 500", "how a job gets on, on the screen"],
    [
      "execnet status popen job.ts --in lines --watch 1000 --json < lines.txt > status.jsonl",
      "the same for a script",
    ],
  ],
  words: [1, 2],
  async run(given, terminal): Promise<number> {
    const form = inputForm(given, "status", ["none", "lines", "json", "bytes"]);
    const every = given.count("watch", 1);
    const wanted = given.text("eval") !== undefined || given.words.length > 1;
    const execution = wanted ? await executionOf(given, terminal, "status") : undefined;
    const screen = new StatusScreen(terminal, given.flag("json"), every !== undefined);
    const tell = screen.redraws ? (line: string): void => screen.above(line) : undefined;
    await using connections = await connectOne(given, terminal, given.words[0]!, tell);
    const { gateway } = connections;
    const channel = execution?.start(gateway);
    const running: Running | undefined = channel === undefined
      ? undefined
      : { fed: feed(channel, itemsOf(execution!.tookInput ? "none" : form, terminal.input)), received: 0 };
    const ended = channel === undefined
      ? unless(terminal.signal, new Promise<never>(() => {}))
      : receiveAll(channel, running!);
    ended.catch(() => {});
    let state: "running" | "complete" | "failed" = "running";
    const end = ended.then(() => void (state = "complete"), (error) => {
      state = "failed";
      throw error;
    });
    end.catch(() => {});
    const stateNow = (): typeof state => state;
    while (stateNow() !== "failed") {
      // The last one is of the time after the end.
      const last = stateNow() === "complete";
      await screen.show(await statusOf(gateway, terminal), running);
      if (every === undefined || last) break;
      await within(every, end).catch(() => {});
    }
    if (every === undefined) return EXIT.ok;
    try {
      await end;
      return EXIT.ok;
    } catch (error) {
      const code = endOf(running?.fed.error ?? error);
      if (code !== undefined) return code;
      throw running?.fed.error ?? error;
    }
  },
};

async function statusOf(gateway: Gateway, { signal }: Terminal): Promise<RemoteStatus> {
  return await gateway.remoteStatus({ signal });
}

async function receiveAll(channel: Channel<unknown, unknown>, running: Running): Promise<void> {
  for await (const _ of channel) running.received++;
}

/** Shows one status after the other: in place of the one before on a terminal, else one below the other. */
class StatusScreen {
  readonly #terminal: Terminal;
  readonly #json: boolean;
  readonly #drawn: Redrawn | undefined;
  #lines: readonly string[] = [];

  constructor(terminal: Terminal, asJson: boolean, again: boolean) {
    this.#terminal = terminal;
    this.#json = asJson;
    this.#drawn = again && !asJson && terminal.outputIsTerminal ? new Redrawn(OUTPUT_SCREEN) : undefined;
  }

  /** Whether a status takes the place of the one before, so that nobody else may write there. */
  get redraws(): boolean {
    return this.#drawn !== undefined;
  }

  /** Tells a line above the status. */
  above(line: string): void {
    this.#drawn?.hide();
    this.#terminal.tell(line);
    this.#drawn?.draw(this.#lines);
  }

  async show(status: RemoteStatus, running: Running | undefined): Promise<void> {
    const code = running === undefined ? {} : { sent: running.fed.items, received: running.received };
    if (this.#json) return await this.#terminal.write(`${json({ ...status, ...code })}\n`);
    const gap = this.#lines.length > 0 ? "\n" : "";
    // One column is left, so that no terminal begins a new line by itself.
    const columns = this.redraws ? OUTPUT_SCREEN.columns() - 1 : Infinity;
    this.#lines = statusLines(status, running, this.#terminal.style, columns);
    if (this.#drawn !== undefined) this.#drawn.draw(this.#lines);
    else await this.#terminal.write(`${gap}${this.#lines.join("\n")}\n`);
  }
}

/** So many channels are listed. */
const MOST_CHANNELS = 16;

/** The names of what is told take so many columns, and two more. */
const NAME_COLUMNS = 10;

/** A status for people, in lines of so many columns at the most. */
export function statusLines(
  status: RemoteStatus,
  running: Running | undefined,
  style: Style,
  columns: number,
): string[] {
  const { numExecuting, numQueued, numRunaway, numChannels, execmodel, rss, uptime, channels } = status;
  const rows: [string, string][] = [
    [
      "executions",
      `${numExecuting} running, ${numQueued} waiting, ${numRunaway} runaway (execmodel=${execmodel})`,
    ],
    ["memory", amount(rss, "bytes")],
    ["uptime", clock(uptime)],
  ];
  if (running !== undefined) rows.push(["items", `${running.fed.items} sent, ${running.received} received`]);
  rows.push(["channels", `${numChannels} open`]);
  // All of it comes from the far side, unchecked.
  const line = (name: string, text: string, styled = style.cyan): string => {
    const left = name.padEnd(NAME_COLUMNS);
    const whole = clip(`${left}  ${oneLine(text)}`, columns);
    return styled(whole.slice(0, left.length)) + whole.slice(left.length);
  };
  const lines = rows.map(([name, text]) => line(name, text));
  for (const { id, state, sendCredit, waiting, unread } of channels.slice(0, MOST_CHANNELS)) {
    const credit = sendCredit > 0 ? `may send ${amount(sendCredit, "bytes")}` : "must wait for its reader";
    const held = `${amount(waiting, "bytes")} waiting, ${amount(unread, "bytes")} unread`;
    lines.push(line(`  ${oneLine(String(id))}`, `${state}, ${credit}, ${held}`, (name) => name));
  }
  if (channels.length > MOST_CHANNELS) lines.push(line("", `and ${channels.length - MOST_CHANNELS} more`));
  return lines;
}
