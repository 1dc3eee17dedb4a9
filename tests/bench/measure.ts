/** Takes the measurements of an entry: ours and each peer in turn, round by round. */

import { perItem, profileOf, sumOfProfiles } from "./profile.ts";
import type { EntryProfile, Profile } from "./profile.ts";
import type { Figures, Player } from "./player.ts";
import type { Players } from "./players.ts";
import { quickSize } from "./entry.ts";
import type { Entry, Part, Peer, PlayerName, Unity } from "./entry.ts";
import type { FarHost } from "./far_host.ts";
import { Scene } from "./scene.ts";
import type { Result } from "./table.ts";

/** How much to measure. */
export interface MeasureOptions {
  rounds: number;
  quick: boolean;
}

/** A measurement that has not ended by then hangs. */
const TIMEOUT_MS = 90_000;

/** Part of the size that is done once beforehand, uncounted. */
const WARM_UP = 0.1;

/** Someone who takes part, with what came of it. */
interface Contestant {
  readonly part: Part;
  readonly rounds: Figures[];
  readonly profiles: Profile[];
  missing: string | undefined;
}

/** Measures an entry, idle or pinned to one core. */
export async function measure(
  entry: Entry,
  pinned: boolean,
  players: Players,
  options: MeasureOptions,
): Promise<Result[]> {
  const { far } = entry;
  const noHost = far === undefined ? undefined : players.noHost(far);
  const contestants = [entry.ours, ...entry.peers].map((part): Contestant => ({
    part,
    rounds: [],
    profiles: [],
    missing: players.whyMissing(part.player, pinned) ?? noHost,
  }));
  const host = far !== undefined && noHost === undefined ? await players.host(far, pinned) : undefined;
  const size = (part: Part): number => options.quick ? quickSize(part.size) : part.size;
  await using scene = entry.scene === undefined ? undefined : await Scene.make(entry.scene, size(entry.ours));
  const stage = new Stage(players, pinned, host, scene, entry.item);
  const rounds = entry.once ? 1 : options.rounds;
  try {
    if (!entry.fresh && !entry.once) {
      for (const one of contestants) await stage.perform(one, Math.ceil(size(one.part) * WARM_UP), false);
    }
    for (let round = 0; round < rounds; round++) {
      for (const one of contestants) {
        await stage.perform(one, size(one.part), true);
        if (entry.fresh) await stage.clear();
      }
    }
  } finally {
    await stage.clear();
  }
  return results(entry, pinned, contestants);
}

/** The programs that are running. */
class Stage {
  readonly #players: Players;
  readonly #pinned: boolean;
  readonly #host: FarHost | undefined;
  readonly #scene: Scene | undefined;
  readonly #item: Unity;
  readonly #running = new Map<PlayerName, Player>();

  constructor(
    players: Players,
    pinned: boolean,
    host: FarHost | undefined,
    scene: Scene | undefined,
    item: Unity,
  ) {
    this.#item = item;
    this.#players = players;
    this.#pinned = pinned;
    this.#host = host;
    this.#scene = scene;
  }

  /** Has one measurement taken. Whoever fails is out, with the reason. */
  async perform(contestant: Contestant, size: number, counts: boolean): Promise<void> {
    if (contestant.missing !== undefined) return;
    const { player: name, task, kind } = contestant.part;
    let player = this.#running.get(name);
    let started = false;
    if (player === undefined) {
      player = this.#players.start(name, this.#pinned, this.#host);
      this.#running.set(name, player);
      started = true;
    }
    try {
      if (started) await player.ready(TIMEOUT_MS);
      const copy = await this.#scene?.prepare(name);
      const others = this.#host?.pids ?? [];
      const before = player.look(others);
      const began = performance.now();
      const figures = await player.ask({ task, kind, size, copy }, TIMEOUT_MS);
      const wall = performance.now() - began;
      const after = player.look(others);
      if (copy !== undefined) await this.#scene?.check(copy);
      if (!counts) return;
      contestant.rounds.push(figures);
      contestant.profiles.push(profileOf(before, after, wall, size / (this.#item.size ?? size)));
    } catch (error) {
      contestant.missing = `failed: ${(error as Error).message}`;
      this.#running.delete(name);
      await player.close(0);
    }
  }

  /** Ends the programs. */
  async clear(): Promise<void> {
    const running = [...this.#running.values()];
    this.#running.clear();
    for (const player of running) await player.close();
  }
}

function results(entry: Entry, pinned: boolean, contestants: readonly Contestant[]): Result[] {
  const [ours, ...peers] = contestants;
  const condition = entry.latency ? pinned ? "pinned" : "idle" : "";
  const profile = entry.once ? undefined : profileOfEntry(entry, condition, contestants);
  return entry.figures.map(({ key, label, unit, goal }, at): Result => {
    const samples = (one: Contestant): number[] =>
      one.rounds.map((figures) => figures[key]).filter((value) => value !== undefined);
    return {
      id: entry.id,
      variant: [entry.variant, label, condition].filter((word) => word !== "").join(" "),
      unit,
      samples: samples(ours!),
      missing: ours!.missing,
      goal,
      profile,
      peers: peers.map((peer, index) => ({
        name: entry.peers[index]!.name,
        samples: samples(peer),
        missing: peer.missing,
        goal: at === 0 ? (peer.part as Peer).goal : undefined,
      })).filter((peer) => at === 0 || peer.samples.length > 0 || peer.missing !== undefined),
    };
  });
}

function profileOfEntry(
  entry: Entry,
  condition: string,
  contestants: readonly Contestant[],
): EntryProfile {
  const names = ["ours", ...entry.peers.map(({ name }) => name)];
  return {
    row: [entry.id, entry.variant, condition].filter((word) => word !== "").join(" "),
    item: entry.item.noun,
    cores: condition === "pinned" ? 1 : navigator.hardwareConcurrency,
    sides: contestants.flatMap(({ profiles }, at) => {
      const total = sumOfProfiles(profiles);
      return total === undefined ? [] : [{ name: names[at]!, profile: perItem(total) }];
    }),
    stepsOf: condition === "pinned" ? undefined : entry.steps,
  };
}
