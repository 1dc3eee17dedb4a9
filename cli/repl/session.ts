/** The execution on the far side that a prompt talks to, and what this side knows of it. */

import { type Channel, type Gateway, RemoteError } from "../../mod.ts";
import type { Position } from "./edits.ts";
import { farSide } from "./far.ts";
import type { Ready } from "./input.ts";
import type { Names } from "./rewrite.ts";
import { type FarOptions, type Outcome, type Reply, replyOf, type Request } from "./wire.ts";

/** How an evaluation went. */
export interface Evaluated {
  readonly outcome: Outcome;
  /** The value or the error, as the far side shows it. */
  readonly text: string;
  /** The number of the mark behind what was printed, if there is one. */
  readonly mark: number | undefined;
}

/** What a session tells without being asked. */
export interface SessionEvents {
  /** An error that nobody caught. */
  uncaught(text: string): void;
}

/** Inputs whose places are remembered: functions of older ones show the places of what was made of them. */
const MAX_PLACES = 1000;

/** One execution. Numbers of inputs go on from one session to the next. */
export class Session implements Names {
  /** Why it has ended; resolves when it has, however that came. */
  readonly ended: Promise<Error>;
  readonly #channel: Channel<Reply, Request>;
  readonly #events: SessionEvents;
  readonly #declared: Set<string> = new Set(["_", "_error"]);
  readonly #globals: Set<string> = new Set();
  readonly #places = new Map<number, Ready>();
  readonly #pending = new Map<number, (reply: Reply) => void>();
  readonly #ready: PromiseWithResolvers<void> = Promise.withResolvers<void>();

  /** Starts one. It is there when the promise resolves. */
  static async start(gateway: Gateway, options: FarOptions, events: SessionEvents): Promise<Session> {
    const session = new Session(gateway, options, events);
    await Promise.race([session.#ready.promise, session.ended.then((error) => Promise.reject(error))]);
    return session;
  }

  private constructor(gateway: Gateway, options: FarOptions, events: SessionEvents) {
    this.#events = events;
    this.#channel = gateway.remoteExec(farSide, { ...options }) as unknown as Channel<Reply, Request>;
    this.ended = this.#read();
  }

  /** Whether an input's name is not simply a global: the session has it, or may have it later. */
  has(name: string): boolean {
    return this.#declared.has(name) || !this.#globals.has(name);
  }

  /** Evaluates an input. Rejects when the session ends before it is done. */
  async evaluate(id: number, input: Ready): Promise<Evaluated> {
    for (const name of [...input.vars, ...input.lets]) this.#declared.add(name);
    this.#places.set(id, input);
    if (this.#places.size > MAX_PLACES) this.#places.delete(this.#places.keys().next().value!);
    const { code, vars, lets } = input;
    const reply = await this.#ask({ kind: "evaluate", id, code, vars, lets });
    if (reply.kind !== "done") throw new TypeError(`The far side answered with ${reply.kind}`);
    const { outcome, text, marked } = reply;
    return { outcome, text: this.located(text), mark: marked ? id : undefined };
  }

  /** Asks the far side to wait no longer for what it evaluates. It cannot while that computes. */
  interrupt(): void {
    this.#channel.send({ kind: "interrupt" }).catch(() => {});
  }

  /** The names below what a path of names leads to. */
  async complete(id: number, path: readonly string[]): Promise<readonly string[]> {
    const reply = await this.#ask({ kind: "complete", id, path });
    return reply.kind === "names" ? reply.names : [];
  }

  /** Ends the execution. */
  kill(): void {
    this.#channel.kill();
  }

  /** An error's text with the places of what was typed, and without what is between that and the engine. */
  located(text: string): string {
    const lines: string[] = [];
    for (const line of text.split("\n")) {
      const bare = line.replace(COLOURS, "");
      if (!HIDDEN.test(bare)) lines.push(line);
      // Behind the last one begin the properties of the error.
      else if (bare.endsWith(" {") && lines.length > 0) lines.push(`${lines.pop()} {`);
    }
    return lines.map((line) => {
      const at = line.match(FRAME);
      if (at === null) return line.replace(PROPERTY, "$1");
      const place = this.#place(Number(at[1]), { line: Number(at[2]), column: Number(at[3]) });
      const where = `<input ${at[1]}>${place === undefined ? "" : `:${place.line}:${place.column}`}`;
      return line.replace(at[0], where).replace(/at (?:async )?eval \((.*)\)( \{)?$/, "at $1$2");
    }).join("\n");
  }

  #place(id: number, place: Position): Position | undefined {
    return this.#places.get(id)?.before(place);
  }

  async #ask(request: Request & { id: number }): Promise<Reply> {
    const { promise, resolve } = Promise.withResolvers<Reply>();
    this.#pending.set(request.id, resolve);
    try {
      await this.#channel.send(request);
      return await Promise.race([promise, this.ended.then((error) => Promise.reject(error))]);
    } finally {
      this.#pending.delete(request.id);
    }
  }

  async #read(): Promise<Error> {
    try {
      for await (const item of this.#channel) {
        const reply = replyOf(item);
        if (reply === undefined) throw new TypeError("The far side does not speak as a prompt's does");
        if (reply.kind === "ready") {
          for (const name of reply.globals) this.#globals.add(name);
          this.#ready.resolve();
        } else if (reply.kind === "uncaught") this.#events.uncaught(this.located(reply.text));
        else this.#pending.get(reply.id)?.(reply);
      }
      return new Error("Its execution has ended");
    } catch (error) {
      this.#channel.kill();
      if (!(error instanceof RemoteError)) return error as Error;
      return new Error(error.remoteMessage, { cause: error });
    }
  }
}

// deno-lint-ignore no-control-regex -- this is how the engine's own places are coloured
const COLOURS = /\x1b\[[\d;]*m/g;
const FRAME = /execnet:repl\/(\d+)(?:, <anonymous>)?:(\d+):(\d+)/;
const HIDDEN = /^\s+at .*(?:execnet:(?:agent|exec)|\bext:|<anonymous>\)?(?: \{)?$)/;
/** How the engine names what an input calls or looks into. */
const PROPERTY = /\(0 ?, ?\$session_*\.([\p{ID_Continue}$]+)\)|\$session_*\.(?=[\p{ID_Start}$_])/gu;
