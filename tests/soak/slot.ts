/** A place for a gateway, which is ended now and then and replaced by another one of its kind. */

import {
  ChannelClosedError,
  EOFError,
  type Gateway,
  type Group,
  RemoteError,
  type RemoteStatus,
} from "../../mod.ts";
import { until } from "../helpers/wait.ts";
import { Hub } from "./hub.ts";
import type { SoakKind } from "./kinds.ts";
import type { Ending, Ledger } from "./ledger.ts";

/** On a busy machine a hundred of them start at the same time. */
const START_TIMEOUT_MS = 120_000;
const END_TIMEOUT_MS = 60_000;
/** How long what a gateway counts may take to be what it should be. */
const REST_TIMEOUT_MS = 20_000;

/** A place for a gateway. */
export class Slot {
  readonly kind: SoakKind;
  /** Whether its first gateway is to stay: its memory is looked at. */
  readonly kept: boolean;
  gateway!: Gateway;
  hubs: Hub[] = [];
  /** Its process. */
  pid = 0;
  /** Why whatever is done with it may fail, if it may. */
  ending: Ending | undefined;
  readonly #group: Group;
  readonly #ledger: Ledger;
  readonly #channels: number;
  readonly #deeds = new Set<Promise<void>>();

  /** Starts nothing yet. `channels` are those that its gateway is to have, those of executions included. */
  constructor(kind: SoakKind, kept: boolean, group: Group, ledger: Ledger, channels: number) {
    this.kind = kind;
    this.kept = kept;
    this.#group = group;
    this.#ledger = ledger;
    this.#channels = channels;
  }

  /** Starts its gateway and opens its channels. */
  async start(): Promise<void> {
    const { spec, hubs } = this.kind;
    const options = { stderr: "null", connectTimeout: START_TIMEOUT_MS } as const;
    this.gateway = await this.#group.makeGateway(spec, options);
    const { pid, cpus } = await this.gateway.remoteInfo();
    this.pid = pid;
    await settleIn(this.gateway, cpus);
    const lanes = this.#channels - hubs;
    this.hubs = await Promise.all(
      Array.from(
        { length: hubs },
        (_, i) => new Hub(this.gateway, this.#ledger).open(Math.floor((lanes + i) / hubs)),
      ),
    );
  }

  /** Does something with its gateway, or a hub of it. That may fail when one of these is being ended. */
  async act(what: string, body: () => Promise<void>, hub?: Hub): Promise<void> {
    const deed = this.#tried(what, body, hub);
    this.#deeds.add(deed);
    await deed;
    this.#deeds.delete(deed);
  }

  async #tried(what: string, body: () => Promise<void>, hub?: Hub): Promise<void> {
    try {
      await body();
      this.#ledger.count(what);
    } catch (error) {
      const ending = this.ending ?? hub?.ending;
      if (ending !== undefined && isCut(error, ending)) return this.#ledger.count("cut off by an end");
      const state = ending === undefined ? "" : ` (${ending})`;
      this.#ledger.wrong(`${what} on ${this.gateway.spec}${state}: ${shown(error)}`);
    }
  }

  /** Ends the gateway amid what is done with it, and starts another one. */
  async replace(ending: "gateway killed" | "gateway ended"): Promise<void> {
    this.ending = ending;
    const { gateway, hubs } = this;
    for (const hub of hubs) hub.ending = ending;
    if (ending === "gateway killed") Deno.kill(this.pid, "SIGKILL");
    else void gateway.terminate(END_TIMEOUT_MS);
    const exit = await gateway.closed;
    if (exit.forced || ending === "gateway ended" && exit.reason !== "requested") {
      this.#ledger.wrong(`${gateway.spec} ended in another way (${ending}): ${Deno.inspect(exit)}`);
    }
    await Promise.all([...this.#deeds]);
    for (const hub of hubs) await hub.cut();
    await this.start();
    this.ending = undefined;
  }

  /** Kills one of its executions amid what is done with it, and starts another one. */
  async killHub(index: number): Promise<void> {
    const hub = this.hubs[index]!;
    hub.ending = "execution killed";
    hub.control.kill();
    await Promise.all([...this.#deeds]);
    await hub.cut();
    this.hubs[index] = await new Hub(this.gateway, this.#ledger).open(hub.lanes.length);
  }

  /** Looks, while nothing is done with it, whether both sides have what they should have and nothing else. */
  async checkRest(): Promise<void> {
    let status: RemoteStatus | undefined;
    const { hubs } = this;
    const channels = hubs.reduce((sum, { lanes }) => sum + lanes.length + 1, 0);
    await until("the gateway is at rest", async () => {
      status = await this.gateway.remoteStatus();
      const { numExecuting, numQueued, numRunaway, numChannels } = status;
      return numExecuting === hubs.length && numQueued + numRunaway === 0 && numChannels === channels &&
        status.channels.length === channels &&
        status.channels.every(({ state, unread, waiting }) => state === "open" && unread + waiting === 0);
    }, REST_TIMEOUT_MS).catch(() => {
      const { channels: ours, ...theirs } = status!;
      const odd = ours.filter(({ state, unread, waiting }) => state !== "open" || unread + waiting > 0);
      this.#ledger.wrong(
        `${this.gateway.spec} at rest: ${
          JSON.stringify(theirs)
        }, here ${ours.length} channels, of which odd ` +
          `${JSON.stringify(odd.slice(0, 3))}; there should be ${channels} and ${hubs.length} executions`,
      );
    });
  }
}

/** How long after the last answer a service of calls is surely taken for busy. */
const BUSY_MS = 60;
/** How long each call is held besides, so that the first one goes on when the last one comes, on a busy machine too. */
const HELD_MS = 600;

/**
 * Has a gateway start whatever it keeps: an isolate for calls on each processor, and from the second execution on the next
 * one. What it takes is to be the same from now on.
 */
async function settleIn(gateway: Gateway, cpus: number): Promise<void> {
  await gateway.remoteExec("0").waitClose();
  const services = gateway.spec.execmodel === "main" ? 1 : cpus;
  const nap = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
  const calls = Array.from({ length: services }, async (_, i) => {
    await nap(i * BUSY_MS);
    await gateway.call(
      (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms)),
      services * BUSY_MS + HELD_MS,
    );
  });
  await Promise.all(calls);
}

/** Whether an error is how the end of a gateway or of an execution shows. */
function isCut(error: unknown, ending: Ending): boolean {
  if (error instanceof EOFError || error instanceof ChannelClosedError) return true;
  return ending === "execution killed" && error instanceof RemoteError && error.remoteName === "Killed";
}

function shown(error: unknown): string {
  return error instanceof Error ? error.stack ?? error.message : Deno.inspect(error);
}
