/** What is measured of gateways that are elsewhere: over ssh, and through one another. */

import { atLeast, atMost, entry, execnet, inBothModels, per, raw } from "./entry.ts";
import type { Details, Entry, Peer } from "./entry.ts";

const START_FIGURES: Entry["figures"] = [
  { key: "ready", label: "ready", unit: "ms" },
  { key: "first", label: "first item", unit: "ms" },
];

// Causes that goals share.
const START =
  "ssh itself takes 190 ms of processor time for a connection, 15 for a session on one; a gateway takes 160 more, " +
  "110 of it in main, where execnet takes 60: Deno, node:net, which alone reads descriptors without a permission, " +
  "compiling the agent, a Worker, and five processes of the shell";
const FIRST_START =
  "as for later ones, and 170 ms of processor time in the caller, which has to load and compile what starts them";
const PING_VIA =
  "it is processor time, not waiting: the hop takes 100 to 130 µs of it for a round trip, whose four turns of a process " +
  "are 150 at least, where execnet takes 170 to 190; the caller has a session within a channel besides";
const BULK_VIA = "each byte passes one more process, which reads it into an item and writes it again";
const PING_SSH =
  "ssh and sshd take what they take for execnet; the caller takes twice what it takes on a socket, since its " +
  "link is the pipes of ssh, and the agent, through which each message of its Worker passes, most of the rest";
const BULK_SSH =
  "ssh and sshd take more than half of the processor time, for the cipher; both ends share two processors with them";

/** The goals are for the default model. */
function starts(way: "fresh" | "shared", model: string, details: Partial<Details>): Entry {
  const { size = 5, variant = "" } = details;
  const goal = model === "worker" ? atMost(1, details.fresh ? FIRST_START : START) : undefined;
  return entry("start-ssh", {
    ...details,
    kind: way === "shared" ? `shared+${model}` : model,
    variant: `${variant} ${model}`,
    far: "near",
    size,
    item: per(way === "shared" ? "gateway, with another whose connection it shares" : "gateway", 1),
    unit: "ms",
    figures: START_FIGURES,
    peers: [
      execnet("start-ssh", size, goal, way),
      raw("ssh host deno run", "start-ssh", `${way}+deno`, size, goal),
      raw("ssh host true", "start-ssh", `${way}+true`, size),
    ],
  });
}

/** A round trip through a way, in both models. */
function pings(
  id: string,
  way: string,
  variant: string,
  peers: readonly [worker: Peer[], main: Peer[]],
): Entry[] {
  return (["worker", "main"] as const).map((model, at) =>
    entry(id, {
      task: "ping",
      kind: `${way}+${model}`,
      variant: `${variant} ${model}`.trim(),
      latency: true,
      far: way === "ssh" ? "near" : undefined,
      size: 1000,
      item: per("round trip", 1),
      unit: "µs",
      peers: peers[at]!,
    })
  );
}

/** Blocks through a way, in both models. */
function blocks(id: string, way: string, direction: string, size: number, peers: Peer[]): Entry[] {
  return inBothModels(id, { size, item: per("MiB", 1), unit: "MiB/s", peers }).map((one) => ({
    ...one,
    variant: `${direction} ${one.variant}`,
    far: way === "ssh" ? "near" : undefined,
    ours: { ...one.ours, task: `bulk-${direction}`, kind: `${way}+${one.ours.kind}` },
  }));
}

/** Blocks over a link with delay: each time on a channel that has just been opened, as plain ssh opens its own. */
function delayedBlocks(direction: string): Entry[] {
  const size = 48;
  const peers = [
    execnet(`bulk-${direction}`, size, undefined, "ssh"),
    raw(
      "ssh host cat",
      `bulk-ssh-${direction}`,
      "",
      size,
      atLeast(0.8, "a new channel's window takes the first round trip to reach what the link has under way"),
    ),
  ];
  return (["worker", "main"] as const).map((model) =>
    entry("bulk-delay", {
      task: `bulk-fresh-${direction}`,
      kind: `ssh+${model}`,
      variant: `${direction} ${model}`,
      far: "delayed",
      size,
      item: per("MiB", 1),
      unit: "MiB/s",
      peers,
    })
  );
}

/** In the order of the table. */
export const FAR_ENTRIES: readonly Entry[] = [
  ...pings("via", "via", "ping", [
    [execnet("ping", 1000, atMost(0.6, PING_VIA), "via")],
    [execnet("ping", 1000, undefined, "via")],
  ]),
  ...["in", "out"].flatMap((direction) =>
    blocks("via", "via", direction, 300, [execnet(`bulk-${direction}`, 100, atLeast(3, BULK_VIA), "via")])
  ),
  starts("fresh", "worker", { variant: "first of a program", fresh: true, size: 1 }),
  starts("fresh", "worker", { variant: "new connection" }),
  starts("fresh", "main", { variant: "new connection" }),
  starts("shared", "worker", { variant: "shared connection" }),
  starts("shared", "main", { variant: "shared connection" }),
  ...pings("ping-ssh", "ssh", "", [
    [execnet("ping", 1000, atMost(1, PING_SSH), "ssh"), raw("ssh host cat", "ping-ssh", "", 1000)],
    [execnet("ping", 1000, atMost(1, PING_SSH), "ssh"), raw("ssh host cat", "ping-ssh", "", 1000)],
  ]),
  ...["in", "out"].flatMap((direction) =>
    blocks("bulk-ssh", "ssh", direction, 200, [
      execnet(`bulk-${direction}`, 100, atLeast(1, BULK_SSH), "ssh"),
      raw("ssh host cat", `bulk-ssh-${direction}`, "", 200, atLeast(0.8, BULK_SSH)),
    ])
  ),
  ...["in", "out"].flatMap(delayedBlocks),
];
