/** Starts executions: from what a caller gives to what is sent, and how an execution is bounded. */

import type { Channel, ChannelGateway } from "../channel/channel.ts";
import type { ChannelEnd } from "../channel/channel_end.ts";
import type { Item } from "../channel/item.ts";
import { relativeTo } from "../channel/errors.ts";
import type { Session } from "../channel/session.ts";
import type { FirstItem } from "../channel/session_options.ts";
import { checkTimeout } from "../channel/wait.ts";
import { narrow, withEnv } from "../xspec/mod.ts";
import type { PermissionsInit, XSpec } from "../xspec/mod.ts";
import type {
  ExecFrameOptions,
  FunctionJob,
  Job,
  LinkJob,
  ProgramExtras,
  ProgramJob,
  ProgramNews,
  ProgramWord,
  StreamJob,
} from "./process/job.ts";
import type { AnyFunction, Shipment, Shipping } from "./shipping/shipping.ts";
import { dedent } from "./source.ts";
import type { GatewayTelemetry } from "./telemetry/gateway_telemetry.ts";
import type { Work } from "./telemetry/work.ts";

/** How an execution runs. */
export interface ExecOptions {
  /** Ends the execution: its channel ends at once with a RemoteError named after the signal's reason. */
  signal?: AbortSignal;
  /** Milliseconds after which the execution is ended: its channel ends with a RemoteError named `TimeoutError`. */
  timeout?: number;
  /** What the execution may do, no more than its gateway; by default the same. Not for `execmodel=main`. */
  permissions?: PermissionsInit;
  /** A name for the code, which stacks then show beside `<remote exec>`. */
  name?: string;
}

/**
 * How the execution of a module runs.
 *
 * @typeParam K what its default export takes
 */
export interface ModuleOptions<K = unknown> extends ExecOptions {
  /** Given to the function that the module exports as default, after its channel. */
  kwargs?: K;
}

/** What a module may export as default. */
// deno-lint-ignore no-explicit-any -- of any channel and any kwargs
export type ModuleFunction = (channel: Channel<any, any>, kwargs: any) => unknown;

/**
 * What the default export of a module takes after its channel.
 *
 * @typeParam Job the type of that function
 */
export type KwargsOf<Job extends ModuleFunction> = Parameters<Job>[1];

/**
 * The channel to the default export of a module, as it is seen from here.
 *
 * @typeParam Job the type of that function
 * @typeParam Owner what the channel's `gateway` is
 */
export type JobChannel<Job extends ModuleFunction, Owner extends ChannelGateway> = ModuleFunction extends Job
  ? Channel<Item, Item, Owner>
  : Parameters<Job>[0] extends Channel<infer In, infer Out> ? Channel<Out, In, Owner>
  : Channel<Item, Item, Owner>;

/**
 * What gives items one after the other.
 *
 * @typeParam T the items
 */
export type Streamable<T> = AsyncIterable<T> | Iterable<T> | Promise<AsyncIterable<T> | Iterable<T>>;

/** What can be executed. */
export type Executable = string | URL | AnyFunction;

/** The ways to a program over there. */
export interface ProgramChannels {
  /** Its stdin and stdout. */
  readonly streams: Channel<Uint8Array, Uint8Array>;
  /** Its stderr. */
  readonly output: Channel<Uint8Array, Uint8Array>;
  /** What it is told, and what becomes of it. */
  readonly control: Channel<ProgramNews, ProgramWord>;
}

const OPTION_NAMES: ReadonlySet<string> = new Set(["signal", "timeout", "permissions", "name"]);

/** What the executions of a gateway need of it. */
export interface ExecutionsOptions {
  session: Session;
  spec: XSpec;
  /** Looks at functions and modules. */
  shipping: Shipping;
  /** Is told of each, where anybody wants to know. */
  telemetry: GatewayTelemetry | undefined;
  /** The working directory of the far side, which relative paths in permissions start at. */
  cwd(): string;
}

/** Starts the executions of one gateway. */
export class Executions {
  readonly #options: ExecutionsOptions;

  /** Starts none yet. */
  constructor(options: ExecutionsOptions) {
    this.#options = options;
  }

  /**
   * Starts what `remoteExec` was given.
   *
   * @throws {TypeError} when it cannot be executed
   */
  start(source: Executable, kwargs: unknown, options: ExecOptions): ChannelEnd {
    this.#check(source, kwargs, options);
    const { name = "" } = options;
    if (typeof source === "string") {
      return this.#open({ item: { kind: "text", source: dedent(source), name } }, options, this.#work(name));
    }
    if (source instanceof URL) return this.#module(source, kwargs, options);
    const { text, readStack, ...shipment } = this.#options.shipping.shipFunction(source);
    if (shipment.kind === "generator") {
      throw new TypeError(`${this.#refusal()}: a generator function gives items to gateway.stream()`);
    }
    const item: FunctionJob = { kind: "function", source: text, name: name || shipment.name, kwargs };
    return this.#open({ item, readStack }, options, this.#work(item.name));
  }

  /** Starts a function whose items are sent. */
  stream(shipment: Shipment, args: readonly unknown[]): ChannelEnd {
    const { text, name, readStack } = shipment;
    const item: StreamJob = { kind: "stream", source: text, name, args };
    try {
      return this.#open({ item, readStack }, {}, this.#options.telemetry?.work("stream", name));
    } catch (error) {
      throw relativeTo(error, "$.args");
    }
  }

  /** Starts an execution that serves calls, or runs a text, and that the far side does not count. */
  service(text?: { readonly source: string; readonly name: string }): ChannelEnd {
    const item: Job = text === undefined
      ? { kind: "calls" }
      : { kind: "text", source: text.source, name: text.name };
    return this.#open({ item }, {}, undefined, { service: true });
  }

  /**
   * Starts a program over there, whose link may come with a proof, and which may have more in its environment. Nobody who
   * waits for it keeps this program alive.
   */
  program(command: readonly string[], extras: ProgramExtras = {}): ProgramChannels {
    const { session } = this.#options;
    const output = this.#background(session.newEnd());
    const control = this.#background(session.newEnd());
    const item = { kind: "program", command, output, control, ...extras } as unknown as ProgramJob;
    const streams = this.#background(this.#open({ item }, {}, undefined, { program: true }));
    return { streams, output, control } as unknown as ProgramChannels;
  }

  /** A link that a program over there has brought, by the id that it is told by. It counts as no execution. */
  link(id: string): Channel<Uint8Array, Uint8Array> {
    const frame = { program: true, service: true };
    const end = this.#open({ item: { kind: "link", id } }, {}, undefined, frame);
    return this.#background(end) as unknown as Channel<Uint8Array, Uint8Array>;
  }

  #background(end: ChannelEnd): Channel {
    end.background = true;
    const channel = this.#options.session.facade(end);
    // Bytes stay bytes, whatever the gateway's users have asked for.
    channel.reconfigure({});
    return channel;
  }

  #refusal(): string {
    return `Cannot execute on gateway "${this.#options.session.name}"`;
  }

  #check(source: unknown, kwargs: unknown, options: ExecOptions): void {
    const { spec, cwd } = this.#options;
    if (typeof source !== "string" && typeof source !== "function" && !(source instanceof URL)) {
      throw new TypeError(
        `${this.#refusal()}: the source must be a string, a URL or a function, got ${typeof source}`,
      );
    }
    if (typeof source === "string" && kwargs !== undefined) {
      throw new TypeError(`${this.#refusal()}: text takes no kwargs; send them over the channel`);
    }
    const unknown = Object.keys(options).find((key) => !OPTION_NAMES.has(key));
    if (unknown !== undefined) {
      const hint = source instanceof URL ? "; what a module is to get goes into the option kwargs" : "";
      throw new TypeError(`${this.#refusal()}: there is no option "${unknown}"${hint}`);
    }
    checkTimeout(options.timeout);
    const { permissions } = options;
    if (permissions === undefined) return;
    if (spec.execmodel === "main") {
      throw new TypeError(
        `${this.#refusal()} with permissions of its own: execmodel=main runs all in one isolate`,
      );
    }
    narrow(withEnv(spec.permissions, Object.keys(spec.env)), permissions, cwd());
  }

  #work(name: string): Work | undefined {
    return this.#options.telemetry?.work("exec", name);
  }

  /** Opens the channel of an execution. One that cannot be sent has never been: it is told nobody. */
  #open(
    first: FirstItem & { item: Job | LinkJob },
    { permissions, signal, timeout }: ExecOptions,
    work?: Work,
    frame: ExecFrameOptions = {},
  ): ChannelEnd {
    const trace = work?.traceContext;
    if (trace !== undefined) first = { ...first, item: { ...first.item, traceContext: trace } as Job };
    const end = this.#options.session.exec(
      permissions === undefined ? frame : { permissions, ...frame },
      first,
    );
    if (work !== undefined) end.onEnd((error) => work.end(error, end.closedHere));
    this.#bound(end, signal, timeout);
    return end;
  }

  /** The text of a module takes a while to make, so it follows over a channel of its own. */
  #module(url: URL, kwargs: unknown, options: ExecOptions): ChannelEnd {
    const { session, shipping } = this.#options;
    const stop = new AbortController();
    const source = session.newChannel() as unknown as Channel<string, string>;
    let readStack: ((stack: string) => string) | undefined;
    let end: ChannelEnd;
    try {
      end = this.#open(
        {
          item: { kind: "module", source, name: options.name ?? "", kwargs },
          readStack: (stack) => readStack?.(stack) ?? stack,
        },
        options,
        this.#work(options.name ?? fileName(url)),
      );
    } catch (error) {
      void source.close();
      throw error;
    }
    const send = async (): Promise<void> => {
      const shipment = await shipping.shipModule(url, stop.signal);
      readStack = shipment.readStack;
      await source.send(shipment.text);
      await source.close();
    };
    end.onEnd(() => stop.abort());
    // The execution has not begun: it is taken back, and the reason is the caller's own, not a remote one.
    send().catch((error) => {
      session.abandon(end, error);
      void source.close();
    });
    return end;
  }

  /** Ends an execution at its deadline or by its signal. */
  #bound(end: ChannelEnd, signal: AbortSignal | undefined, timeout: number | undefined): void {
    if (signal === undefined && timeout === undefined) return;
    const { session } = this.#options;
    const limit = new AbortController();
    const onAbort = (): void => limit.abort(asError(signal!.reason));
    let timer: ReturnType<typeof setTimeout> | undefined;
    if (timeout !== undefined && timeout < 2 ** 31) {
      timer = setTimeout(() => {
        limit.abort(new DOMException(`The execution took longer than ${timeout} ms`, "TimeoutError"));
      }, timeout);
      Deno.unrefTimer(timer);
    }
    limit.signal.addEventListener("abort", () => session.kill(end, limit.signal.reason));
    if (signal?.aborted) onAbort();
    else signal?.addEventListener("abort", onAbort, { once: true });
    end.onEnd(() => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    });
  }
}

/** What a module is called that was given no name. */
function fileName({ pathname }: URL): string {
  return pathname.slice(pathname.lastIndexOf("/") + 1);
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new DOMException(String(reason), "AbortError");
}
