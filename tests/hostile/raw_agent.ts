/** A real agent, started as gateways start theirs, with a caller in place of the gateway that sends what it likes. */

import { assert } from "jsr:@std/assert@^1.0.19";
import { Decoder } from "../../channel/decode.ts";
import { Encoder } from "../../channel/encode.ts";
import { FrameType, makeFrame } from "../../channel/frame.ts";
import { FrameReader } from "../../channel/frame_reader.ts";
import { encodeHello, HelloReader } from "../../channel/handshake.ts";
import type { Facts } from "../../channel/handshake.ts";
import type { Transport } from "../../channel/transport.ts";
import { agentScript } from "../../gateway/_agent_bundle.ts";
import { planProcess } from "../../gateway/process/plan.ts";
import type { SpawnedProcess } from "../../gateway/process/process.ts";
import { spawnDeno } from "../../gateway/process/spawn.ts";
import { XSpec } from "../../xspec/mod.ts";
import { dataFrame } from "../helpers/sessions.ts";
import { limited, TextTap } from "../helpers/wait.ts";

const LIMIT_MS = 15_000;

/** Encodes an item. */
export function item(value: unknown): Uint8Array {
  return new Encoder().encode(value).slice();
}

/** Reads an item. */
export function valueOf(bytes: Uint8Array): unknown {
  const decoder = new Decoder({ channel: (id) => `channel ${id}` });
  decoder.reset(bytes);
  return decoder.next();
}

/** Somebody who waits for a frame. */
interface Waiting {
  readonly key: string;
  readonly resolve: (payload: Uint8Array) => void;
}

/** An agent. */
export class RawAgent implements AsyncDisposable {
  readonly #process: SpawnedProcess;
  readonly #transport: Transport;
  readonly #printed: TextTap;
  readonly #reading: Promise<void>;
  readonly #greeting = Promise.withResolvers<Facts>();
  readonly #frames = new Map<string, Uint8Array[]>();
  #waiting: Waiting[] = [];
  #deaf: PromiseWithResolvers<void> | undefined;
  #nextRequest = 1;

  private constructor(process: SpawnedProcess, transport: Transport) {
    this.#process = process;
    this.#transport = transport;
    this.#printed = new TextTap(process.output!);
    this.#greeting.promise.catch(() => {});
    this.#reading = this.#read().catch(() => {}).then(() => {
      this.#greeting.reject(new Error("The agent has ended"));
    });
  }

  /** Starts an agent of a `popen` spec. What comes in place of the caller's greeting may be anything. */
  static async start(
    spec: string,
    greeting: (config: Facts) => Uint8Array = encodeHello,
  ): Promise<RawAgent> {
    const plan = planProcess(new XSpec(spec), { name: "raw", deno: [Deno.execPath()], cwd: Deno.cwd() });
    const process = await spawnDeno({
      ...plan.spawn,
      agent: agentScript(),
      hello: greeting(plan.config as unknown as Facts),
    });
    return new RawAgent(process, await process.connected);
  }

  /** What it says of itself. Rejects when it ends before it greets. */
  get facts(): Promise<Facts> {
    return this.#greeting.promise;
  }

  /** What it has printed so far. */
  get printed(): string {
    return this.#printed.text;
  }

  /** The most memory that was ever resident in its process, in mebibytes. */
  get peak(): number {
    const status = Deno.readTextFileSync(`/proc/${this.#process.pid}/status`);
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)![1]) / 1024;
  }

  /** Sends bytes, and says whether they were taken. */
  async send(...parts: readonly Uint8Array[]): Promise<boolean> {
    try {
      for (const part of parts) await this.#transport.write(part, false);
      return true;
    } catch {
      return false;
    }
  }

  /** Starts an execution with its first item, if any. */
  execute(id: number, job?: unknown, options: unknown = {}): Promise<boolean> {
    const start = makeFrame(FrameType.EXEC, id, item(options));
    return this.send(...job === undefined ? [start] : [start, dataFrame(id, item(job))]);
  }

  /** The next frame of a type for a channel: its payload. */
  async next(type: FrameType, channel = 0): Promise<Uint8Array> {
    const key = `${type} ${channel}`;
    const first = this.#frames.get(key)?.shift();
    if (first !== undefined) return first;
    const { promise, resolve } = Promise.withResolvers<Uint8Array>();
    this.#waiting.push({ key, resolve });
    return await limited(
      `a frame of type ${type} for channel ${channel} (${this.printed})`,
      promise,
      LIMIT_MS,
    );
  }

  /** The error with which an execution ends. */
  async failure(id: number): Promise<{ name: string; message: string }> {
    const payload = await this.next(FrameType.CLOSE, id);
    assert(payload.length > 0, `channel ${id} is closed without an error`);
    return valueOf(payload) as { name: string; message: string };
  }

  /** Asks it something. */
  async ask(kind: unknown): Promise<unknown> {
    const id = this.#nextRequest++;
    await this.send(makeFrame(FrameType.REQUEST, 0, item([id, kind])));
    const [answered, answer] = valueOf(await this.next(FrameType.REPLY)) as [number, unknown];
    assert(answered === id, `${answered} is answered, not ${id}`);
    return answer;
  }

  /** Reads no more of what it sends. */
  deafen(): void {
    this.#deaf ??= Promise.withResolvers<void>();
  }

  /** Waits until it has ended by itself. Gives its exit code. */
  async end(): Promise<number> {
    const { code } = await limited(`the end of the agent (${this.printed})`, this.#process.ended, LIMIT_MS);
    this.#deaf?.resolve();
    await Promise.all([this.#reading, this.#printed.ended]);
    return code;
  }

  /** Closes its connection, and waits for its end. */
  async leave(): Promise<number> {
    this.#transport.close();
    return await this.end();
  }

  async #read(): Promise<void> {
    const greeting = new HelloReader();
    const reader = new FrameReader({
      frame: ({ type, channel }, bytes, start, end) =>
        this.#frame(`${type} ${channel}`, bytes.slice(start, end)),
      place: () => undefined,
      placed: () => {},
    });
    const buffer = new Uint8Array(64 * 1024);
    let greeted = false;
    while (true) {
      await this.#deaf?.promise;
      const count = await this.#transport.read(buffer);
      if (count === null) return;
      if (greeted) {
        reader.push(buffer.slice(0, count));
        continue;
      }
      const hello = greeting.push(buffer.subarray(0, count));
      if (hello === undefined) continue;
      greeted = true;
      this.#greeting.resolve(hello.facts);
      reader.push(hello.rest);
    }
  }

  #frame(key: string, payload: Uint8Array): void {
    const at = this.#waiting.findIndex((one) => one.key === key);
    if (at >= 0) return this.#waiting.splice(at, 1)[0]!.resolve(payload);
    const list = this.#frames.get(key);
    if (list === undefined) this.#frames.set(key, [payload]);
    else list.push(payload);
  }

  /** Ends it if it runs. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill();
    this.#transport.abort();
    await this.end();
  }
}
