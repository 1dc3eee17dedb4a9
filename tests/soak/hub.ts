/** An execution that serves lanes, as this side sees it, and its lanes. */

import { type Channel, EOFError, type Gateway } from "../../mod.ts";
import type { LaneReport, NewLane } from "./far.ts";
import { FAR_SOURCE } from "./far.ts";
import { Lane } from "./lane.ts";
import type { Server } from "./lane.ts";
import type { Ending, Ledger } from "./ledger.ts";

/** An execution that serves lanes. */
export class Hub implements Server {
  readonly gateway: Gateway;
  readonly control: Channel<LaneReport, NewLane>;
  /** Its lanes, each of which is replaced when it has ended. */
  readonly lanes: Lane[] = [];
  /** Why whatever is done with it may fail, if it may. */
  ending: Ending | undefined;
  readonly #ledger: Ledger;
  readonly #waiting = new Map<number, PromiseWithResolvers<LaneReport>>();
  readonly #over: Promise<void>;
  #lastNumber = 0;

  /** Starts the execution. */
  constructor(gateway: Gateway, ledger: Ledger) {
    this.gateway = gateway;
    this.#ledger = ledger;
    this.control = gateway.remoteExec<NewLane, LaneReport>(FAR_SOURCE, { name: "soak" });
    this.#over = this.#read();
  }

  /** Opens so many lanes. */
  async open(count: number): Promise<this> {
    for (let i = 0; i < count; i++) this.lanes.push(await this.#newLane());
    return this;
  }

  /** Puts a new lane in the place of one that has ended. */
  async replace(lane: Lane): Promise<void> {
    this.lanes[this.lanes.indexOf(lane)] = await this.#newLane();
  }

  /** Waits for what it tells of a lane's end. */
  report(number: number): Promise<LaneReport> {
    const waiting = Promise.withResolvers<LaneReport>();
    this.#waiting.set(number, waiting);
    return waiting.promise;
  }

  /** Lets it end; its lanes have. */
  async finish(): Promise<void> {
    await this.control.closeWrite();
    await this.#over;
    await this.control.waitClose();
  }

  /** Closes the books of lanes that have ended with it. */
  async cut(): Promise<void> {
    await this.#over;
    for (const lane of this.lanes) lane.cut(this.ending!);
  }

  #newLane(): Promise<Lane> {
    return new Lane(this, ++this.#lastNumber, this.#ledger).open();
  }

  async #read(): Promise<void> {
    let end: unknown = new EOFError("The execution has ended without a word about this lane");
    try {
      for await (const report of this.control) {
        const waiting = this.#waiting.get(report[0]);
        this.#waiting.delete(report[0]);
        if (waiting !== undefined) waiting.resolve(report);
        else this.#ledger.wrong(`A lane ended by itself on ${this.gateway.spec}: ${report.join(" ")}`);
      }
    } catch (error) {
      end = error;
      if (this.ending === undefined) {
        this.#ledger.wrong(`An execution ended on ${this.gateway.spec}: ${error}`);
      }
    }
    for (const { reject } of this.#waiting.values()) reject(end);
    this.#waiting.clear();
  }
}
