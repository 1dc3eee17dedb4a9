/**
 * What a channel promises, in the simplest words: two lists of numbers, and how each of them ends. It knows nothing of
 * frames, windows or sessions; `walk.ts` does to this what it does to real channels, and compares.
 *
 * Where two things cross on their way, more than one outcome is right: then the model says "either" or "maybe".
 */

/** Whether a send is taken. */
export type Verdict = "taken" | "refused" | "either";

/** What became of an error: nobody gave one; it must come; it may come, because something crossed it; it has come. */
type Owed = "none" | "owed" | "maybe" | "given";

/** A rule is broken. */
export class Broken extends Error {
  static {
    this.prototype.name = "Broken";
  }
}

function rule(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Broken(what);
}

/** One direction of a channel. */
export class Direction {
  /** All items that were taken from the sender, in order. */
  readonly sent: number[] = [];
  /** Those whose sending was aborted: each comes whole, or not at all. */
  readonly aborted: Set<number> = new Set();
  /** How many of them were received, or were aborted and have not come. */
  received = 0;
  /** The sender sends nothing more. */
  ended = false;
  /** What was sent may be lost: the receiver wants no more, or the way is cut. */
  lossy = false;
  /** The error that comes behind the items. */
  error: Owed = "none";

  /** Items that must still come. */
  get due(): number {
    if (this.lossy) return 0;
    return this.sent.slice(this.received).filter((n) => !this.aborted.has(n)).length;
  }

  /** The receiver has got an item: it is the next one. */
  take(n: number): void {
    while (this.sent[this.received] !== n && this.aborted.has(this.sent[this.received]!)) this.received++;
    rule(this.received < this.sent.length, `item ${n} was never sent, or comes twice`);
    const next = this.sent[this.received];
    rule(n === next, `item ${n} where ${next} is the next`);
    this.received++;
  }

  /** Something crosses the error, so that it may not come. */
  cross(): void {
    if (this.error === "owed") this.error = "maybe";
  }

  /** The receiver has got the error. */
  giveError(): void {
    rule(this.error === "owed" || this.error === "maybe", "an error that nobody gave, or that comes twice");
    this.error = "given";
  }
}

/** One end of a channel. */
export class ModelEnd {
  /** What leaves here, and what comes. */
  readonly out: Direction;
  readonly into: Direction;
  /** It was closed from here. */
  closed = false;
  readonly #channel: ModelChannel;

  /** Made by a channel. */
  constructor(channel: ModelChannel, out: Direction, into: Direction) {
    this.#channel = channel;
    this.out = out;
    this.into = into;
  }

  get #other(): ModelEnd {
    const [a, b] = this.#channel.ends;
    return this === a ? b : a;
  }

  /** Whether the end may have come to an end without a deed of its own. */
  get #mayBeOver(): boolean {
    return this.#other.closed || this.#channel.cut;
  }

  /** Whether a send is taken now. */
  get verdict(): Verdict {
    if (this.closed || this.out.ended) return "refused";
    return this.#mayBeOver ? "either" : "taken";
  }

  /** A send was taken. */
  send(n: number): void {
    rule(this.verdict !== "refused", "a send was taken after the end of sending");
    this.out.sent.push(n);
  }

  /** A send was refused. */
  refuse(): void {
    rule(this.verdict !== "taken", "a send was refused, though nobody has ended the channel");
  }

  /** It sends nothing more. */
  closeWrite(): void {
    this.out.ended = true;
  }

  /** It closes both directions. `isClosed`: as far as it knows, both had ended before. */
  close(withError: boolean, isClosed: boolean): void {
    if (isClosed) return;
    if (withError && !this.out.ended) this.out.error = this.#mayBeOver ? "maybe" : "owed";
    this.out.ended = true;
    this.closed = true;
    this.into.lossy = true;
    this.into.cross();
  }

  /** It kills what is behind it. `isOver`: nothing is there any more, as far as it knows; `hadEnd`: nothing more comes. */
  kill(isOver: boolean, hadEnd: boolean): void {
    if (isOver) return;
    this.#channel.cutOff();
    this.out.ended = true;
    this.closed = true;
    this.into.error = hadEnd ? this.into.error : "owed";
    if (this.out.error === "none") this.out.error = "maybe";
  }

  /** It has got an item. */
  take(n: number): void {
    this.into.take(n);
  }

  /** It was told that nothing more comes; `name` is the error's, "" where there was none. */
  end(name: string, items = true): void {
    const { into } = this;
    rule(into.ended || this.closed || this.#mayBeOver, `${name} though nobody has ended the channel`);
    if (items) rule(into.due === 0, `${name} before ${into.due} items`);
    if (name === "RemoteError") return into.giveError();
    rule(into.error !== "owed", `${name || "an end"} where an error was given`);
    rule(
      name !== "GatewayClosedError" || this.#channel.gone,
      "the gateway is closed, though nobody has closed it",
    );
  }

  /** A callback was given its end marker. */
  mark(): void {
    const { into } = this;
    rule(into.ended || this.closed || this.#mayBeOver, "an end marker though nobody has ended the channel");
    rule(into.due === 0, `an end marker before ${into.due} items`);
  }
}

/** A channel. */
export class ModelChannel {
  /** Its two ends. */
  readonly ends: readonly [ModelEnd, ModelEnd];
  /** The way between them is cut, or will be: by a kill, or because the session ends. */
  cut = false;
  /** It is the session that ends. */
  gone = false;

  /** Makes an open channel. */
  constructor() {
    const [there, back] = [new Direction(), new Direction()];
    this.ends = [new ModelEnd(this, there, back), new ModelEnd(this, back, there)];
  }

  /** The way is cut: what is under way may be lost, and errors, too. `gone`: the session ends. */
  cutOff(gone = false): void {
    this.cut = true;
    this.gone ||= gone;
    for (const { out } of this.ends) {
      out.lossy = true;
      out.cross();
    }
  }
}
