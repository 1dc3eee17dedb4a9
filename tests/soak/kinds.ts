/** The kinds of gateways of a soak, and how many of each there are. */

/** A kind of gateways. */
export interface SoakKind {
  readonly name: string;
  readonly spec: string;
  /** Of a hundred gateways; most are light ones, so that these fit into 4 GiB. */
  readonly share: number;
  /** Over how many executions its channels are spread: each takes a Worker or a process, but for `main`. */
  readonly hubs: number;
  /** Whether its process is its own, and can be killed. */
  readonly process: boolean;
  /** Whether an execution of it can be killed with all its channels. */
  readonly separate: boolean;
}

/** What gateways `via` are started from. */
export const HOP = "popen//id=hop//allow-run=sh";

const MAIN = "execmodel=main";

/** All kinds, the most usual first. */
export const KINDS: readonly SoakKind[] = [
  { name: "popen main", spec: `popen//${MAIN}`, share: 60, hubs: 4, process: true, separate: false },
  { name: "popen worker", spec: "popen", share: 8, hubs: 2, process: true, separate: true },
  {
    name: "popen process",
    spec: "popen//execmodel=process",
    share: 4,
    hubs: 2,
    process: true,
    separate: true,
  },
  { name: "worker", spec: "worker", share: 6, hubs: 1, process: false, separate: true },
  { name: "via main", spec: `popen//${MAIN}//via=hop`, share: 10, hubs: 4, process: true, separate: false },
  { name: "via worker", spec: "popen//via=hop", share: 2, hubs: 1, process: true, separate: true },
  {
    name: "shell main",
    spec: `command=env//${MAIN}`,
    share: 6,
    hubs: 4,
    process: true,
    separate: false,
  },
  { name: "worker main", spec: `worker//${MAIN}`, share: 4, hubs: 2, process: false, separate: false },
];

/** The kinds of so many gateways: one of each as far as they go, and the rest by their shares. */
export function mixOf(count: number, only?: string): SoakKind[] {
  const kinds = only === undefined ? KINDS : KINDS.filter(({ name }) => name === only);
  if (kinds.length === 0) throw new RangeError(`There is no kind "${only}"`);
  const mix = kinds.slice(0, count);
  const total = kinds.reduce((sum, { share }) => sum + share, 0);
  while (mix.length < count) {
    // The one that is furthest from its share.
    const missing = (kind: SoakKind): number =>
      kind.share / total - mix.filter((one) => one === kind).length / count;
    mix.push(kinds.reduce((most, kind) => missing(kind) > missing(most) ? kind : most));
  }
  return mix;
}
