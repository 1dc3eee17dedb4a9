/**
 * Random walks of two sessions, compared with the model at each step. Several executions and channels at once, channels
 * in items, readers that stand still, callbacks, kills, links past the router, transports that split, stall and delay,
 * and an end of the session in the middle.
 *
 * What is looked at besides the model: credit and unread bytes are within the window at every moment of rest and add up
 * to it; what must have come has come; whoever waits gets an answer, with a documented error where it is one; nothing is
 * left.
 */

import { assert, assertEquals } from "jsr:@std/assert@^1.0.19";
import { Channel } from "../../channel/channel.ts";
import type { ChannelEnd } from "../../channel/channel_end.ts";
import { MAX_WINDOW_BYTES, OVERDRAFT_BYTES, WINDOW_BYTES } from "../../channel/window.ts";
import type { Random } from "../helpers/seeded.ts";
import { checkItem, makeItem, numberOf } from "./items.ts";
import { ModelChannel } from "./model.ts";
import type { ModelEnd } from "./model.ts";
import { turn, World } from "./world.ts";

/** What a caller may be told. */
const NAMED: readonly string[] = ["RemoteError", "EOFError", "GatewayClosedError", "ChannelClosedError"];

/** Executions, and channels, of one walk. */
const MOST_EXECUTIONS = 5;
const MOST_CHANNELS = 14;

/** Steps between two moments of rest. */
const REST_STEPS = 30;

/** A channel of a walk: both ends as far as they are known (local, remote), and the model. */
export interface Wire {
  readonly model: ModelChannel;
  readonly ends: [Channel | undefined, Channel | undefined];
  readonly execution: number;
  /** Whether it is the execution's own. */
  readonly isRoot: boolean;
  /** The channels in whose items it was sent. */
  readonly carriers: Set<Wire>;
  readonly callbacks: [boolean, boolean];
}

type Side = 0 | 1;

/** A send that was taken. */
interface Sent {
  readonly from: ModelEnd;
  state: "waits" | "done" | "refused" | "aborted";
}

/** How a walk ended. */
export interface Walked {
  readonly steps: number;
  readonly how: string;
}

/** Walks so many steps, or until the session is ended. Throws when something is not as the model says. */
export function walk(random: Random, steps: number): Promise<Walked> {
  return new Walk(random).go(steps);
}

class Walk {
  readonly #random: Random;
  readonly #world: World;
  readonly #wires: Wire[] = [];
  /** Executions whose far end has not been seen. */
  readonly #opening = new Map<number, Wire>();
  readonly #sends: Sent[] = [];
  readonly #passed = new Map<number, Wire>();
  readonly #passing: boolean;
  readonly #bulk: boolean;
  #next = 1;
  #executions = 0;
  #waiting = 0;
  #wrong: unknown;
  #cut = "";
  /** The walk has ended, and ends the session. */
  #over = false;

  constructor(random: Random) {
    this.#random = random;
    this.#passing = random.chance(0.7);
    this.#bulk = random.chance(0.2);
    this.#world = new World(random, (far) => this.#executed(far), (id, reason) => this.#killed(id, reason));
  }

  async go(steps: number): Promise<Walked> {
    const random = this.#random;
    const cutAt = random.chance(0.25) ? random.below(steps) : Infinity;
    let done = 0;
    this.#execute();
    await turn();
    try {
      for (; done < steps && (this.#cut === "" || done < cutAt + 15); done++) {
        if (done >= cutAt && this.#cut === "") this.#end();
        else this.#step();
        if (random.chance(0.5)) await turn();
        if (done % REST_STEPS === REST_STEPS - 1) await this.#rest();
        this.#check();
      }
      if (this.#cut === "") await this.#finish();
      else await this.#afterCut();
      this.#check();
    } finally {
      this.#over = true;
      this.#world.end();
      await this.#world.settled();
    }
    this.#check();
    assertEquals(this.#waiting, 0, "somebody waits after the end of the session");
    for (const { closed, aborted } of this.#world.transports) {
      assert(closed || aborted, "a link is left open");
    }
    return { steps: done, how: this.#cut === "" ? "to the end" : this.#cut };
  }

  #check(): void {
    for (const { over, reason } of this.#world.ended) {
      if (over && this.#cut === "" && !this.#over) throw reason ?? new Error("the session has ended");
    }
    if (this.#wrong !== undefined) throw this.#wrong;
  }

  /** Looks at something now or later; what is wrong with it ends the walk. */
  #look(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#wrong ??= error;
    }
  }

  #step(): void {
    const random = this.#random;
    const what = random.below(100);
    if (what < 2) return this.#execute();
    if (what < 8) return this.#world.fault();
    if (what < 9) return this.#request();
    const [wire, side] = this.#someEnd();
    if (what < 10) return void this.#make(wire.execution, side);
    if (what < 44) this.#send(wire, side);
    else if (what < 47 && this.#bulk) {
      const [count, size] = random.chance(0.5) ? [30, 70_000] as const : [3, 800_000] as const;
      for (let i = 0; i < count; i++) this.#send(wire, side, size);
    } else if (what < 85) this.#receive(wire, side, random.chance(0.85));
    else if (what < 88) this.#listen(wire, side);
    else if (what < 90) this.#waitClose(wire, side);
    else if (what < 94) this.#closeWrite(wire, side);
    else if (what < 97) this.#close(wire, side);
    else if (what < 98) this.#kill(wire, wire.isRoot ? 0 : side);
    else this.#receive(wire, side, true);
  }

  #someEnd(): [Wire, Side] {
    const wire = this.#random.pick(this.#wires);
    const side: Side = this.#random.chance(0.5) ? 0 : 1;
    return wire.ends[side] === undefined ? [wire, side === 0 ? 1 : 0] : [wire, side];
  }

  // ---- executions and channels ----

  #add(execution: number, ends: Wire["ends"], isRoot = false): Wire {
    const wire: Wire = {
      model: new ModelChannel(),
      ends,
      execution,
      isRoot,
      carriers: new Set(),
      callbacks: [false, false],
    };
    if (this.#cut !== "") wire.model.cutOff(true);
    this.#wires.push(wire);
    return wire;
  }

  #execute(): void {
    if (this.#executions >= MOST_EXECUTIONS) return;
    this.#attempt(() => {
      const channel = this.#world.local.facade(this.#world.local.exec(null));
      this.#opening.set(channel.id, this.#add(++this.#executions, [channel, undefined], true));
    });
  }

  #executed(far: Channel): void {
    const wire = this.#opening.get(far.id);
    this.#look(() => assert(wire !== undefined, `execution ${far.id} comes from nowhere, or twice`));
    this.#opening.delete(far.id);
    wire!.ends[1] = far;
  }

  /** What an agent does when an execution is to end: nobody is there any more who could read what it has to say. */
  #killed(id: number, reason: unknown): void {
    const far = this.#wires.find(({ ends }) => ends[0]?.id === id)?.ends[1];
    this.#look(() => assert(far !== undefined, `no execution ${id} to kill`));
    Channel.endOf(far!).closedByPeer(reason);
  }

  /** What fails because the session has ended is told by a GatewayClosedError. */
  #attempt(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#look(() => {
        assert(this.#cut !== "", `refused: ${error}`);
        assertEquals((error as Error).name, "GatewayClosedError");
      });
    }
  }

  // ---- deeds ----

  #send(wire: Wire, side: Side, size?: number): void {
    const channel = wire.ends[side]!;
    const end = Channel.endOf(channel);
    const model = wire.model.ends[side];
    const n = this.#next++;
    // What is sent on a channel that the other side does not know yet waits for that: a case of its own.
    const passes = this.#passing && this.#random.chance(end.branch === undefined ? 0.4 : 0.06);
    const inner = size === undefined && passes ? this.#innerFor(wire, side) : undefined;
    if (inner !== undefined) {
      this.#passed.set(n, inner);
      inner.carriers.add(wire);
      if (model.out.lossy) this.#cutCarried(wire);
    }
    const may = end.state === "open" || end.state === "send-only";
    this.#look(() => may ? model.send(n) : model.refuse());
    const sent: Sent = { from: model, state: "waits" };
    if (may) this.#sends.push(sent);
    this.#waiting++;
    const item = makeItem(this.#random, n, inner?.ends[side], size) as never;
    // A channel in an item that may not come is a case of its own.
    const signal = inner === undefined && this.#random.chance(0.15)
      ? this.#soonAborted(() => model.out.aborted.add(n))
      : undefined;
    channel.send(item, signal && { signal }).then(() => {
      this.#waiting--;
      sent.state = "done";
      this.#look(() => assert(may, "a send was taken on a closed channel"));
    }, (error) => {
      this.#waiting--;
      const isAborted = signal?.aborted && error === signal.reason;
      sent.state = isAborted ? "aborted" : "refused";
      this.#look(() => isAborted || assertEquals((error as Error).name, "ChannelClosedError"));
    });
  }

  /** A signal that is aborted now or in a few turns. */
  #soonAborted(before: () => void = () => {}): AbortSignal {
    const abort = new AbortController();
    const after = async (turns: number): Promise<void> => {
      for (; turns > 0; turns--) await turn();
      before();
      abort.abort();
    };
    void after(this.#random.between(1, 8));
    return abort.signal;
  }

  /** A channel whose other end nobody has met ends with the one that was to carry it there. */
  #cutCarried(carrier: Wire): void {
    for (const wire of this.#wires) {
      if (!wire.carriers.has(carrier) || wire.model.cut) continue;
      if (wire.ends[0] !== undefined && wire.ends[1] !== undefined) continue;
      wire.model.cutOff();
      this.#cutCarried(wire);
    }
  }

  /** A channel that the other side does not know yet. */
  #make(execution: number, side: Side): Wire | undefined {
    if (!this.#passing || this.#wires.length >= MOST_CHANNELS) return undefined;
    let made: Wire | undefined;
    this.#attempt(() => {
      const channel = (side === 0 ? this.#world.local : this.#world.remote).newChannel();
      made = this.#add(execution, side === 0 ? [channel, undefined] : [undefined, channel]);
    });
    return made;
  }

  /** A channel that may be in an item: a new one, or one of the same execution. */
  #innerFor(wire: Wire, side: Side): Wire | undefined {
    if (this.#random.chance(0.6)) {
      const made = this.#make(wire.execution, side);
      if (made !== undefined) return made;
    }
    const others = this.#wires.filter(({ ends, execution }) =>
      execution === wire.execution && ends[side] !== undefined && Channel.endOf(ends[side]).state !== "closed"
    );
    const unknown = others.filter(({ ends }) => Channel.endOf(ends[side]!).branch === undefined);
    if (unknown.length > 0 && this.#random.chance(0.7)) return this.#random.pick(unknown);
    return others.length === 0 ? undefined : this.#random.pick(others);
  }

  #receive(wire: Wire, side: Side, polls: boolean): void {
    if (wire.callbacks[side]) return;
    const channel = wire.ends[side]!;
    const end = Channel.endOf(channel);
    const wasOver = end.receiveEnded && !end.hasItem;
    this.#waiting++;
    const signal = !polls && this.#random.chance(0.3) ? this.#soonAborted() : undefined;
    channel.receive(polls ? { timeout: 0 } : signal && { signal }).then((item) => {
      this.#waiting--;
      this.#look(() => this.#took(wire, side, item));
    }, (error) => {
      this.#waiting--;
      this.#look(() => {
        if (signal?.aborted && error === signal.reason) return;
        const { name } = error as Error;
        if (name === "TimeoutError") return assert(polls && !wasOver, "a timeout after the end");
        assert(NAMED.includes(name), `${name} for a receiver: ${(error as Error).stack}`);
        wire.model.ends[side].end(name);
      });
    });
  }

  #took(wire: Wire, side: Side, item: unknown): void {
    const n = numberOf(item);
    wire.model.ends[side].take(n);
    const inner = checkItem(n, item);
    const passed = this.#passed.get(n);
    assertEquals(inner !== undefined, passed !== undefined, "a channel in an item");
    if (inner === undefined || passed === undefined) return;
    const known = passed.ends[side];
    if (known === undefined) passed.ends[side] = inner;
    else if (!known.isClosed()) assert(known === inner, "a channel came back as another object");
  }

  #listen(wire: Wire, side: Side): void {
    const end = Channel.endOf(wire.ends[side]!);
    // One that waits for an item would take it from the callback.
    if (wire.callbacks[side] || end.eager) return;
    wire.callbacks[side] = true;
    this.#waiting++;
    let ended = false;
    const marker = {};
    wire.ends[side]!.setCallback((item: unknown) => {
      this.#look(() => {
        assert(!ended, "an item behind the end marker, or that twice");
        if (item !== marker) return this.#took(wire, side, item);
        ended = true;
        this.#waiting--;
        wire.model.ends[side].mark();
      });
      return this.#random.chance(0.1) ? turn() : undefined;
    }, { endMarker: marker });
  }

  #waitClose(wire: Wire, side: Side): void {
    if (wire.callbacks[side]) return;
    this.#waiting++;
    const came = (name: string): void => {
      this.#waiting--;
      this.#look(() => {
        assert(name === "" || NAMED.includes(name), name);
        wire.model.ends[side].end(name, false);
      });
    };
    wire.ends[side]!.waitClose().then(() => came(""), (error) => came((error as Error).name));
  }

  #request(): void {
    this.#waiting++;
    this.#world.local.request("status").then((answer) => {
      this.#waiting--;
      this.#look(() => assertEquals(answer, { kind: "status" }));
    }, (error) => {
      this.#waiting--;
      this.#look(() => {
        assert(this.#cut !== "", `a request was refused: ${error}`);
        assertEquals((error as Error).name, "GatewayClosedError");
      });
    });
  }

  #closeWrite(wire: Wire, side: Side): void {
    void wire.ends[side]!.closeWrite();
    wire.model.ends[side].closeWrite();
  }

  #close(wire: Wire, side: Side, withError: boolean = this.#random.chance(0.5)): void {
    const channel = wire.ends[side]!;
    wire.model.ends[side].close(withError, channel.isClosed());
    void channel.close(withError ? new Error("given") : undefined);
    this.#cutCarried(wire);
  }

  #kill(wire: Wire, side: Side): void {
    const channel = wire.ends[side];
    if (channel === undefined) return;
    const end = Channel.endOf(channel);
    wire.model.ends[side].kill(end.peerClosed, end.receiveEnded);
    channel.kill();
    this.#cutCarried(wire);
  }

  // ---- what must hold ----

  /** A moment of rest: nothing is under way, but for what is stalled. */
  async #rest(): Promise<void> {
    await this.#world.settled();
    this.#check();
    const stalled = this.#world.stalled;
    for (const wire of this.#wires) {
      for (const side of [0, 1] as const) {
        const channel = wire.ends[side];
        if (channel !== undefined) this.#restOf(wire, side, Channel.endOf(channel), stalled);
      }
    }
  }

  #restOf(wire: Wire, side: Side, end: ChannelEnd, stalled: boolean): void {
    const { unread, sendCredit } = end.status;
    assert(unread <= MAX_WINDOW_BYTES + OVERDRAFT_BYTES, `${unread} bytes unread`);
    assert(
      sendCredit >= -this.#world.overdraft && sendCredit <= MAX_WINDOW_BYTES,
      `a credit of ${sendCredit} bytes`,
    );
    const { into } = wire.model.ends[side];
    if (stalled || this.#cut !== "" || into.lossy) return;
    const other = wire.ends[side === 0 ? 1 : 0];
    if (other === undefined || Channel.endOf(other).branch === undefined) return;
    if (into.due > 0 && !wire.callbacks[side]) {
      assert(end.hasItem, `${into.due} items are due, and none has come`);
    }
    if (into.ended) return;
    // What the sender may send and what the reader holds is a window, but for what is held back to be granted at once.
    const window = Channel.endOf(other).status.sendCredit + unread;
    assert(window > WINDOW_BYTES / 2 && window <= MAX_WINDOW_BYTES, `a window of ${window} bytes`);
  }

  /** The session ends in the middle. */
  #end(): void {
    for (const { model } of this.#wires) model.cutOff(true);
    this.#cut = this.#world.cut();
  }

  async #afterCut(): Promise<void> {
    this.#world.heal();
    await this.#world.settled();
    this.#world.end();
    await this.#world.settled();
    this.#check();
    assertEquals(this.#waiting, 0, "somebody waits after the end of the session");
    await this.#readAll();
    const { local, remote } = this.#world;
    assertEquals([local.channelCount, remote.channelCount], [0, 0]);
  }

  /** Everything ends in order: all that is owed comes. */
  async #finish(): Promise<void> {
    const { local, remote } = this.#world;
    this.#world.heal();
    await this.#drain();
    for (const wire of this.#wires) {
      for (const side of [0, 1] as const) if (wire.ends[side] !== undefined) this.#closeWrite(wire, side);
    }
    await this.#drain();
    // Those whose other end nobody has met are of no use, and end at once.
    for (const wire of this.#wires) {
      if (wire.ends[0] === undefined || wire.ends[1] === undefined) {
        this.#kill(wire, wire.ends[0] === undefined ? 1 : 0);
      }
    }
    await this.#world.settled();
    await this.#readAll();
    for (const { from, state } of this.#sends) {
      assert(state !== "waits", "a send hangs after the end of its channel");
      assert(
        state === "done" || state === "aborted" || from.out.lossy,
        "a send was refused, though nothing was lost",
      );
    }
    assertEquals(this.#waiting, 0, "somebody waits on a channel that has ended");
    assertEquals([local.channelCount, remote.channelCount], [0, 0], "channels are left");
  }

  /** Receives until nothing more comes. */
  async #drain(): Promise<void> {
    for (let any = true; any;) {
      any = false;
      await this.#world.settled();
      this.#check();
      // Channels that are met on the way join.
      for (let i = 0; i < this.#wires.length; i++) {
        const wire = this.#wires[i]!;
        for (const side of [0, 1] as const) {
          const channel = wire.ends[side];
          if (channel === undefined) continue;
          const end = Channel.endOf(channel);
          any ||= end.hasItem;
          // A callback takes them by itself.
          while (end.hasItem && !wire.callbacks[side]) this.#receive(wire, side, true);
        }
      }
    }
  }

  /** Each end is at its end: what is left is received, then the error or the end. */
  async #readAll(): Promise<void> {
    await this.#drain();
    for (let again = 0; again < 2; again++) {
      for (const wire of this.#wires) {
        for (const side of [0, 1] as const) {
          const channel = wire.ends[side];
          if (channel === undefined) continue;
          assert(Channel.endOf(channel).receiveEnded, `channel ${channel.id} has not ended`);
          this.#receive(wire, side, true);
        }
      }
      await turn();
      this.#check();
    }
  }
}
