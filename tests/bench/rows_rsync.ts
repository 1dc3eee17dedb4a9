/**
 * What is measured of copying folders: each change of the source is a measurement of its own, prepared the same way.
 *
 * Our gateways and execnet's are there before the time begins, as they are in programs that use them; `rsync -a` has its
 * start in its time, as it has wherever it is used. What we copy is flushed to the disk within our time; neither of the
 * others does that.
 */

import { atMost, entry, execnet, per } from "./entry.ts";
import type { Details, Entry, Peer } from "./entry.ts";
import type { Change, ScenePlan } from "./scene.ts";
import type { Goal } from "./table.ts";

/** Files of the small tree, and MiB of the big file. */
const FILES = 2000;
const MIB = 256;

const SMALL: readonly [Change, string][] = [["all", "first"], ["none", "no change"], ["file", "one changed"]];
const BIG: readonly [Change, string][] = [
  ["all", "first"],
  ["none", "no change"],
  ["byte", "one byte changed"],
  ["insert", "1 MiB inserted"],
];

/** Why goals are missed, by what was changed. */
const CAUSES: Readonly<Record<Change, string>> = {
  all:
    "three times rsync's processor time, half of it in the system: each file is written under another name, given its " +
    "mode and time, and renamed, by calls of their own; the receiving script runs where nothing is compiled yet",
  none:
    "an lstat of each file on both sides, 6 to 8 µs where rsync's take 3; the list is sorted, written, read and checked, " +
    "and the first copy of a gateway compiles its script over there, where further ones find it",
  file: "as without a change, and a flush to the disk, which neither peer does",
  byte:
    "the hashes of the old copy, the writing of the new one, its flush and the SHA-256 of the whole share two processors",
  insert:
    "the hashes of the old copy, the writing of the new one, its flush and the SHA-256 of the whole share two processors",
};

const FAN =
  "eight receiving processes on two processors, each of which compiles its script and writes each file as above";

const command = (name: string, task: string, goal?: Goal): Peer => ({
  name,
  player: "rsync",
  task,
  kind: "",
  size: 1,
  goal,
});

function times(
  id: string,
  size: number,
  scene: ScenePlan,
  variant: string,
  details: Partial<Details>,
): Entry {
  return entry(id, { task: "rsync", unit: "ms", item: per("copy"), ...details, size, scene, variant });
}

/**
 * In the order of the table. What passes on the wire is compared with what `rsync` sends between two machines: between
 * two folders of one it never divides files.
 */
export const RSYNC_ENTRIES: readonly Entry[] = [
  ...SMALL.map(([change, variant]) =>
    times("rsync-small", FILES, { tree: "small", change, targets: 1 }, variant, {
      peers: [
        execnet("rsync", 1, atMost(0.5, CAUSES[change])),
        command("rsync -a", "rsync", atMost(1, CAUSES[change])),
      ],
    })
  ),
  ...BIG.map(([change, variant]) =>
    times("rsync-big", MIB, { tree: "big", change, targets: 1 }, variant, {
      peers: [
        execnet("rsync", 1, atMost(0.3, CAUSES[change])),
        command("rsync -a", "rsync", atMost(1, CAUSES[change])),
      ],
    })
  ),
  ...BIG.map(([change, variant]) =>
    entry("rsync-big", {
      task: "rsync-wire",
      size: MIB,
      scene: { tree: "big", change, targets: 1 },
      variant: `${variant}, on the wire`,
      once: true,
      unit: "KiB",
      peers: [
        command(
          "rsync -a --no-whole-file",
          "rsync-wire",
          atMost(1.2, "the receiving script itself, which is shipped with a gateway's first copy"),
        ),
      ],
    })
  ),
  entry("rsync-big", {
    task: "rsync-wire-again",
    size: MIB,
    scene: { tree: "big", change: "none", targets: 1 },
    variant: "no change, after another copy, on the wire",
    once: true,
    unit: "KiB",
    peers: [
      command(
        "rsync -a --no-whole-file",
        "rsync-wire",
        atMost(1.2, "frames and the words of a setup, some 300 bytes in all, where rsync says 70"),
      ),
    ],
  }),
  ...BIG.map(([change, variant]) =>
    entry("rsync-big", {
      task: "rsync-memory",
      size: MIB,
      scene: { tree: "big", change, targets: 1 },
      variant: `${variant}, RSS over idle`,
      fresh: true,
      item: per("copy"),
      unit: "MiB",
      figures: [
        {
          key: "local",
          label: "local",
          unit: "MiB",
          goal: atMost(64, "buffers of pieces under way in both directions"),
        },
        {
          key: "remote",
          label: "remote",
          unit: "MiB",
          goal: atMost(64, "buffers of pieces under way in both directions"),
        },
      ],
      peers: [execnet("rsync-memory", 1)],
    })
  ),
  times("rsync-fan", FILES, { tree: "small", change: "all", targets: 8 }, "", {
    peers: [execnet("rsync", 1, atMost(0.5, FAN)), command("rsync -a, 8 in turn", "rsync")],
  }),
];
