/** A prompt without its terminal: takes lines, evaluates inputs, and starts afresh where nothing else helps. */

import type { Gateway, GatewayExit, GatewayOptions, Group, RemoteInfo } from "../../mod.ts";
import { within } from "../unless.ts";
import { offers, wantedBy } from "./completion.ts";
import { directive, DIRECTIVES, type FoundDirective } from "./directives.ts";
import { readInput, stillWaitingFor, type Waiting } from "./input.ts";
import { Session } from "./session.ts";
import { harmless, newMark, Printed } from "./shown.ts";
import type { Taken, View } from "./view.ts";
import type { FarOptions } from "./wire.ts";

/** How long an interrupted evaluation may take to notice it. What never waits for anything does not. */
const INTERRUPT_GRACE_MS = 2_000;

/** How long names are waited for. */
const COMPLETION_LIMIT_MS = 500;

/** One prompt, for as long as its connection stands. */
export class Prompt {
  /** Resolves when the connection has ended. */
  readonly over: Promise<GatewayExit>;
  /** What the process behind the prompt is. */
  info!: RemoteInfo;
  gateway!: Gateway;
  /** Whether there was an error that nobody caught. */
  uncaught = false;
  readonly #group: Group;
  readonly #spec: string;
  readonly #options: GatewayOptions;
  readonly #view: View;
  readonly #mark: string = newMark();
  readonly #over: PromiseWithResolvers<GatewayExit> = Promise.withResolvers();
  readonly #endings: Promise<unknown>[] = [];
  #session!: Session;
  #printed!: Printed;
  #number = 0;
  #input = "";
  /** What that waits for. */
  #waits: Waiting = "line";
  #running = 0;
  #interrupted: ReturnType<typeof setTimeout> | undefined;
  #forced = false;
  /** Whether a line was interrupted before its evaluation had begun. */
  #early = false;
  #asking: AbortController | undefined;
  #starting: Promise<void> | undefined;
  /** The gateway that was given up last: its end is not that of the prompt. */
  #given: Gateway | undefined;

  /** Connects. */
  static async start(group: Group, spec: string, options: GatewayOptions, view: View): Promise<Prompt> {
    const prompt = new Prompt(group, spec, options, view);
    await prompt.#connect();
    await prompt.#begin();
    return prompt;
  }

  private constructor(group: Group, spec: string, options: GatewayOptions, view: View) {
    this.#group = group;
    this.#spec = spec;
    this.#options = { ...options, stderr: "piped" };
    this.#view = view;
    this.over = this.#over.promise;
  }

  /** Whether lines have come that make no input yet. */
  get unfinished(): boolean {
    return this.#input !== "";
  }

  /** Whether something is evaluated. */
  get busy(): boolean {
    return this.#running !== 0;
  }

  /** Takes a line. */
  async line(line: string): Promise<Taken> {
    try {
      return await this.#take(line);
    } finally {
      this.#early = false;
    }
  }

  async #take(line: string): Promise<Taken> {
    if (!this.unfinished) {
      const found = directive(line);
      if (found !== undefined) return await this.#obey(found);
      if (line.trim() === "") return "done";
    }
    const text = this.unfinished ? `${this.#input}\n${line}` : line;
    const still = this.unfinished ? stillWaitingFor(this.#waits, line) : undefined;
    if (still !== undefined) {
      this.#input = text;
      this.#waits = still;
      return "unfinished";
    }
    this.#input = "";
    const taken = await this.evaluate(text, false);
    if (taken === "unfinished") this.#input = text;
    return taken;
  }

  /** No more lines come: an input that goes on is wrong. */
  async end(): Promise<Taken> {
    const text = this.#input;
    this.#input = "";
    return text === "" ? "done" : await this.evaluate(text, true);
  }

  async #obey(found: FoundDirective): Promise<Taken> {
    const asking = this.#asking = new AbortController();
    try {
      return await found.run(this, this.#view, found.rest, asking.signal);
    } catch (error) {
      await this.#tell(harmless((error as Error).message, false));
      return "failed";
    } finally {
      this.#asking = undefined;
    }
  }

  /** Forgets lines that make no input yet. */
  forget(): void {
    this.#input = "";
  }

  /** Evaluates a text, and shows what comes of it. */
  async evaluate(text: string, whole: boolean): Promise<Taken> {
    await this.#starting;
    const { errorStyle: style } = this.#view;
    const input = await readInput(text, this.#session, whole);
    if (input.kind === "unfinished") {
      this.#waits = input.waits;
      return "unfinished";
    }
    const number = ++this.#number;
    if (input.kind === "wrong") {
      const { line, column } = input.place;
      await this.#tell(
        `${style.red("Uncaught")} SyntaxError: ${input.message}\n    at <input ${number}>:${line}:${column}`,
      );
      return "failed";
    }
    const session = this.#session;
    this.#running = number;
    try {
      const evaluated = session.evaluate(number, input);
      if (this.#early) this.interrupt();
      const { outcome, text, mark } = await evaluated;
      if (mark !== undefined) await this.#printed.until(mark);
      if (outcome === "interrupted") {
        await this.#note("Stopped waiting: what was begun goes on there");
        return "failed";
      }
      if (outcome === "error") {
        await this.#tell(`${style.red("Uncaught")} ${this.#cleanError(text)}`);
        return "failed";
      }
      if (outcome === "value" || this.#view.showsNothing) await this.#view.value(`${this.#clean(text)}\n`);
      return "done";
    } catch {
      // The session has ended, which is told when it is known what follows from it.
      await session.ended;
      await this.#starting;
      return "failed";
    } finally {
      this.#running = 0;
      this.#forced = false;
      clearTimeout(this.#interrupted);
      this.#interrupted = undefined;
    }
  }

  /** Ends the waiting for what is evaluated. The second time, and where it cannot notice that, it is killed. */
  interrupt(): void {
    this.#asking?.abort(new Error("Stopped waiting for the answer"));
    if (!this.busy) {
      this.#early = true;
      return;
    }
    if (this.#interrupted !== undefined) return this.#force();
    this.#session.interrupt();
    this.#printed.skip(this.#running);
    this.#interrupted = setTimeout(() => this.#force(), INTERRUPT_GRACE_MS);
  }

  /** Starts afresh. */
  async clear(): Promise<void> {
    const old = this.#session;
    this.#starting = this.#begin();
    await this.#starting;
    old.kill();
  }

  /** What may stand in the place of a line's end, and that end. */
  async complete(line: string): Promise<[offered: string[], replaced: string]> {
    if (!this.unfinished && line.startsWith(".")) {
      return [DIRECTIVES.map(({ name }) => `.${name}`).filter((name) => name.startsWith(line)), line];
    }
    const wanted = wantedBy(line);
    if (wanted === undefined || this.busy) return [[], line];
    // The far side cannot answer while it computes, and nothing can be typed while this is waited for.
    const asked = this.#session.complete(++this.#number, wanted.path).catch(() => []);
    const names = await within(COMPLETION_LIMIT_MS, asked);
    return names === undefined ? [[], line] : [offers(wanted, names), wanted.text];
  }

  /** Resolves when what was replaced on the way has ended, too. */
  async close(): Promise<void> {
    this.#over.resolve(undefined as never);
    clearTimeout(this.#interrupted);
    await Promise.all(this.#endings);
  }

  /** Kills what is evaluated. */
  #force(): void {
    if (this.#forced) return;
    this.#forced = true;
    this.#session.kill();
  }

  async #connect(): Promise<void> {
    const gateway = await this.#group.makeGateway(this.#spec, this.#options);
    this.gateway = gateway;
    this.#printed = new Printed(this.#mark, this.#view.colours, (text) => this.#view.show(text));
    const shown = this.#printed.read(gateway.stderr!);
    void gateway.closed.then(async (exit) => {
      await shown;
      if (this.#given !== gateway) this.#over.resolve(exit);
    });
    this.info = await gateway.remoteInfo();
  }

  async #begin(): Promise<void> {
    const { cwd } = this.info;
    const options: FarOptions = {
      colours: this.#view.colours,
      base: new URL(`file:///${cwd.replace(/^\/+/, "").split("/").map(encodeURIComponent).join("/")}/`).href,
      mark: this.#mark,
    };
    const session = await Session.start(this.gateway, options, {
      uncaught: (text) => {
        this.uncaught = true;
        void this.#tell(
          `${this.#view.errorStyle.red("Uncaught, and nobody waits for it:")} ${this.#cleanError(text)}`,
        );
      },
    });
    this.#session = session;
    void session.ended.then((reason) => {
      if (this.#session === session) this.#starting = this.#again(reason);
    });
  }

  /** The session has ended and the prompt goes on, if its connection stands. */
  async #again(reason: Error): Promise<void> {
    const { gateway } = this;
    const forced = this.#forced;
    if (!gateway.hasReceiver()) return;
    // What computes for ever can be ended alone only where it has a process of its own.
    const all = forced && gateway.spec.execmodel !== "process";
    await this.#note(
      forced
        ? `It did not yield, so its ${all ? "gateway" : "process"} was ended; what was declared is gone`
        : `The execution has ended: ${harmless(reason.message, false)}; what was declared is gone`,
    );
    try {
      if (all) {
        this.#given = gateway;
        gateway.exit();
        this.#endings.push(gateway[Symbol.asyncDispose]());
        await this.#connect();
      }
      await this.#begin();
    } catch (error) {
      await this.#tell(`Cannot start afresh: ${harmless((error as Error).message, false)}`);
      this.#over.resolve(await this.gateway.closed);
    }
  }

  #clean(text: string): string {
    return harmless(text, this.#view.colours);
  }

  #cleanError(text: string): string {
    return harmless(text, this.#view.colours && this.#view.errorStyle.bold("") !== "");
  }

  async #tell(text: string): Promise<void> {
    await this.#view.tell(`${text}\n`);
  }

  async #note(text: string): Promise<void> {
    await this.#tell(this.#view.errorStyle.yellow(text));
  }
}
