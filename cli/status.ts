/** `execnet status`: executions, channels, windows and memory of a gateway. */

import type { Channel, Gateway, RemoteStatus } from "../mod.ts";
import { amount, clock } from "./bar.ts";
import { CODE } from "./code.ts";
import type { Command } from "./command.ts";
import { CONNECTION, connectOne, unless } from "./connections.ts";
import { endOf } from "./ending.ts";
import { EXECUTION, executionOf, type Fed, feed } from "./execution.ts";
import { EXIT } from "./failure.ts";
import { INPUT, inputForm, itemsOf } from "./input.ts";
import { json } from "./json.ts";
import { JSON_OUTPUT } from "./options.ts";
import type { Style } from "./style.ts";
import type { Terminal } from "./terminal.ts";

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
    await using connections = await connectOne(given, terminal, given.words[0]!);
    const { gateway } = connections;
    const screen = new StatusScreen(terminal, given.flag("json"), every !== undefined);
    const channel = execution?.start(gateway);
    const running: Running | undefined = channel === undefined
      ? undefined
      : { fed: feed(channel, itemsOf(execution!.tookInput ? "none" : form, terminal.input)), received: 0 };
    const ended = channel === undefined
      ? unless(terminal.signal, new Promise<never>(() => {}))
      : receiveAll(channel, running!);
    ended.catch(() => {});
    let over = false;
    const end = ended.finally(() => over = true);
    end.catch(() => {});
    while (true) {
      await screen.show(await statusOf(gateway, terminal), running);
      if (every === undefined || over) break;
      await Promise.race([end, pause(every)]).catch(() => {});
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

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Shows one status after the other: in place of the one before on a terminal, else one below the other. */
class StatusScreen {
  readonly #terminal: Terminal;
  readonly #json: boolean;
  readonly #redraws: boolean;
  #lines = 0;

  constructor(terminal: Terminal, asJson: boolean, again: boolean) {
    this.#terminal = terminal;
    this.#json = asJson;
    this.#redraws = again && !asJson && terminal.outputIsTerminal;
  }

  async show(status: RemoteStatus, running: Running | undefined): Promise<void> {
    const code = running === undefined ? {} : { sent: running.fed.items, received: running.received };
    if (this.#json) return await this.#terminal.write(`${json({ ...status, ...code })}\n`);
    const lines = statusLines(status, running, this.#terminal.style);
    const back = this.#redraws && this.#lines > 0 ? `\x1b[${this.#lines}A\r\x1b[J` : "";
    const gap = !this.#redraws && this.#lines > 0 ? "\n" : "";
    await this.#terminal.write(`${back}${gap}${lines.join("\n")}\n`);
    this.#lines = lines.length;
  }
}

/** So many channels are listed. */
const MOST_CHANNELS = 16;

/** A status for people. */
export function statusLines(status: RemoteStatus, running: Running | undefined, style: Style): string[] {
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
  const lines = rows.map(([name, text]) => `${style.cyan(name.padEnd(10))}  ${text}`);
  for (const { id, state, sendCredit, waiting, unread } of channels.slice(0, MOST_CHANNELS)) {
    const credit = sendCredit > 0 ? `may send ${amount(sendCredit, "bytes")}` : "must wait for its reader";
    lines.push(
      `${`  ${id}`.padEnd(10)}  ${state}, ${credit}, ${amount(waiting, "bytes")} waiting, ${
        amount(unread, "bytes")
      } unread`,
    );
  }
  if (channels.length > MOST_CHANNELS) lines.push(`            and ${channels.length - MOST_CHANNELS} more`);
  return lines;
}
