/** A soak: gateways and channels, mixed traffic on all of them for a while, and looks at what that leaves. */

import { Group } from "../../mod.ts";
import { Random } from "../helpers/seeded.ts";
import { DEEDS } from "./executions.ts";
import { judge, readGauges } from "./gauges.ts";
import type { Point, Sample, Verdict } from "./gauges.ts";
import type { Hub } from "./hub.ts";
import { HOP, mixOf } from "./kinds.ts";
import type { SoakKind } from "./kinds.ts";
import { LANE_ENDS } from "./lane.ts";
import type { Lane } from "./lane.ts";
import { Ledger } from "./ledger.ts";
import { Slot } from "./slot.ts";

/** What is to be done. */
export interface SoakOptions {
  /** Of traffic, without starts and ends. */
  readonly minutes: number;
  readonly gateways: number;
  /** Of each gateway. */
  readonly channels: number;
  readonly seed: number;
  /** The only kind of gateways there is to be. */
  readonly kind?: string | undefined;
}

/** What came of it. */
export interface SoakResult {
  readonly mix: readonly SoakKind[];
  readonly ledger: Ledger;
  readonly verdicts: readonly Verdict[];
}

/** How many things are done at a time. Every channel is open all the time, and has its turn. */
const RUNNERS = 128;
/** How many of the looks at what is taken there are behind the first one. */
const LOOKS = 10;
/** A short soak has fewer: each takes longer than what is done in between. */
const SHORT_MINUTES = 0.5;
const SHORT_LOOKS = 3;
/** The part of the time that comes before the first one: until then caches fill, and code is compiled. */
const WARM_PART = 0.15;
/** How many gateways or executions are ended in the whole time, at the most. */
const ENDS = 240;
/** And how soon one after the other. */
const LEAST_ENDS_MS = 400;
/** Gateways that start at the same time. */
const STARTERS = 6;
/** Nothing that is done takes so long, on a busy machine with all of this at the same time. */
const STALL_MS = 180_000;

/** What is done, and how often in comparison. Executions cost a Worker or a process in most kinds. */
const WEIGHTS = { talk: 50, burst: 20, bulk: 4, wait: 6, fill: 6, make: 6, end: 6, deed: 3 } as const;

/** Does it. `tell` is told how far it is. */
export async function soak(options: SoakOptions, tell: (text: string) => void): Promise<SoakResult> {
  const mix = mixOf(options.gateways, options.kind);
  const run = new Run(mix, options, tell);
  try {
    return await run.all();
  } finally {
    await run.group.terminate({ timeout: 30_000 });
  }
}

class Run {
  readonly group: Group = new Group();
  readonly #ledger = new Ledger();
  readonly #slots: Slot[];
  readonly #mix: readonly SoakKind[];
  readonly #options: SoakOptions;
  readonly #tell: (text: string) => void;
  /** Until then, on the clock of `performance`, things are done. */
  #until = 0;

  constructor(mix: readonly SoakKind[], options: SoakOptions, tell: (text: string) => void) {
    this.#mix = mix;
    this.#options = options;
    this.#tell = tell;
    const seen = new Set<SoakKind>();
    this.#slots = mix.map((kind) => {
      const several = mix.filter((one) => one === kind).length > 1;
      const kept = several && kind.process && !seen.has(kind);
      seen.add(kind);
      return new Slot(kind, kept, this.group, this.#ledger, options.channels);
    });
  }

  async all(): Promise<SoakResult> {
    const { minutes, seed } = this.#options;
    const before = await readGauges([]);
    if (this.#mix.some(({ spec }) => spec.includes("via=hop"))) {
      await this.group.makeGateway(HOP, { stderr: "null" });
    }
    await inTurns(STARTERS, this.#slots, (slot) => slot.start());
    const samples: Sample[] = this.#slots.filter(({ kept }) => kept)
      .map(({ kind, pid }) => ({ name: kind.name, pid }));
    const random = new Random(seed);
    const points: Point[] = [];
    const looks = minutes < SHORT_MINUTES ? SHORT_LOOKS : LOOKS;
    const began = performance.now();
    let busy = 0;
    for (let look = 0; look <= looks && this.#ledger.wrongCount === 0; look++) {
      const ms = minutes * 60_000 * (look === 0 ? WARM_PART : (1 - WARM_PART) / looks);
      await this.#work(ms, random);
      busy += ms;
      await Promise.all(this.#slots.map((slot) => slot.checkRest()));
      const reading = await readGauges(samples, points[0]?.reading);
      points.push({ minutes: busy / 60_000, reading });
      this.#tell(
        `${(busy / 1000).toFixed(0)} s, ${((performance.now() - began) / 1000).toFixed(0)} with rests: ` +
          [...reading].slice(0, 5).map(([name, value]) => `${name} ${value.toFixed(0)}`).join(", "),
      );
    }
    if (this.#ledger.wrongCount === 0) await this.#end(random, before);
    return { mix: this.#mix, ledger: this.#ledger, verdicts: judge(points) };
  }

  /** Does things for a while, until nothing is under way any more. */
  async #work(ms: number, random: Random): Promise<void> {
    this.#until = performance.now() + ms;
    const runners = Array.from({ length: RUNNERS }, () => this.#run(new Random(random.below(2 ** 32))));
    const all = Promise.all([...runners, this.#endSome(ms, new Random(random.below(2 ** 32)))]);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stalled = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        const busy = this.#slots.filter((slot) =>
          slot.hubs.some(({ lanes }) => lanes.some((one) => one.busy))
        );
        reject(new Error(`Nothing comes to an end on ${busy.map(({ gateway }) => gateway.spec).join(", ")}`));
      }, ms + STALL_MS);
    });
    try {
      await Promise.race([all, stalled]);
    } finally {
      clearTimeout(timer);
    }
  }

  get #goesOn(): boolean {
    return performance.now() < this.#until && this.#ledger.wrongCount === 0;
  }

  /** Does one thing after the other. */
  async #run(random: Random): Promise<void> {
    while (this.#goesOn) {
      const slot = random.pick(this.#slots);
      const what = pickByWeight(random);
      const hub = slot.ending === undefined && slot.hubs.length > 0 ? random.pick(slot.hubs) : undefined;
      const lane = hub === undefined || hub.ending !== undefined ? undefined : random.pick(hub.lanes);
      if (lane === undefined || lane.busy) await turn();
      else if (what === "deed") {
        const name = random.pick(Object.keys(DEEDS));
        await slot.act(name, () => DEEDS[name]!(slot.gateway, random));
      } else await this.#onLane(what, slot, hub!, lane, random);
    }
  }

  async #onLane(
    what: Exclude<keyof typeof WEIGHTS, "deed">,
    slot: Slot,
    hub: Hub,
    lane: Lane,
    random: Random,
  ): Promise<void> {
    lane.busy = true;
    await slot.act(what === "end" ? "channels ended and replaced" : what, async () => {
      if (what !== "end") return await lane[what](random);
      await lane.end(random.pick(LANE_ENDS), random);
      await hub.replace(lane);
    }, hub);
    lane.busy = false;
  }

  /** Ends gateways and executions amid all that, one after the other. */
  async #endSome(ms: number, random: Random): Promise<void> {
    // At least one between two looks.
    const pause = Math.min(ms / 2, Math.max(LEAST_ENDS_MS, this.#options.minutes * 60_000 / ENDS));
    const slots = this.#slots.filter(({ kept, kind }) => !kept || kind.separate);
    while (this.#goesOn && slots.length > 0) {
      const slot = random.pick(slots);
      const { separate, process } = slot.kind;
      if (slot.kept || separate && random.chance(0.5)) await slot.killHub(random.below(slot.hubs.length));
      else {
        await slot.replace(process && random.chance(0.6) ? "gateway killed" : "gateway ended");
        this.#ledger.count("gateways ended and replaced");
      }
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }

  /** Ends all in good order, after which there must be nothing. */
  async #end(random: Random, before: ReadonlyMap<string, number>): Promise<void> {
    const hubs = this.#slots.flatMap((slot) => slot.hubs.map((hub) => ({ slot, hub })));
    await inTurns(RUNNERS, hubs, async ({ slot, hub }) => {
      await slot.act("executions ended", async () => {
        await Promise.all(hub.lanes.map((lane) => lane.end("read to the end", random)));
        await hub.finish();
      });
    });
    for (const exit of await this.group.terminate({ timeout: 60_000 })) {
      if (exit.forced || exit.reason !== "requested") this.#ledger.wrong(`An end: ${Deno.inspect(exit)}`);
    }
    const after = await readGauges([], before);
    for (const name of ["descriptors", "processes", "folders"]) {
      const [start, end] = [before.get(name)!, after.get(name)!];
      // Deno keeps the event queues of a few Workers, however many there were.
      if (end - start > (name === "descriptors" ? 16 : 0)) {
        this.#ledger.wrong(`After the end there are ${end} ${name}, before the start there were ${start}`);
      }
    }
  }
}

function pickByWeight(random: Random): keyof typeof WEIGHTS {
  const entries = Object.entries(WEIGHTS) as [keyof typeof WEIGHTS, number][];
  let at = random.below(entries.reduce((sum, [, weight]) => sum + weight, 0));
  return entries.find(([, weight]) => (at -= weight) < 0)![0];
}

/** Does something with each, so many at a time. */
async function inTurns<T>(count: number, all: readonly T[], body: (one: T) => Promise<void>): Promise<void> {
  const left = [...all];
  const work = async (): Promise<void> => {
    for (let one = left.shift(); one !== undefined; one = left.shift()) await body(one);
  };
  await Promise.all(Array.from({ length: count }, work));
}

function turn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
