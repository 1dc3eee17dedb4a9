/** What passes a transport in memory, counted. */

import { FrameType } from "../../channel/frame.ts";
import { FrameReader } from "../../channel/frame_reader.ts";
import type { MemoryTransport } from "../helpers/memory_transport.ts";

/** The name of a frame's type. */
export type FrameName = keyof typeof FrameType;

const NAMES = new Map(Object.entries(FrameType).map(([name, type]) => [type, name as FrameName]));

/** All that one side writes from now on. */
export interface Traffic {
  writes: number;
  bytes: number;
  /** How many frames there were of each type. */
  frames: Partial<Record<FrameName, number>>;
}

/** Counts what is written to a transport from now on. */
export function countTraffic(transport: MemoryTransport): Traffic {
  const traffic: Traffic = { writes: 0, bytes: 0, frames: {} };
  const reader = new FrameReader({
    frame: ({ type }) => {
      const name = NAMES.get(type)!;
      traffic.frames[name] = (traffic.frames[name] ?? 0) + 1;
    },
    place: () => undefined,
    placed: () => {},
  });
  transport.onWrite = (bytes) => {
    traffic.writes++;
    traffic.bytes += bytes.length;
    reader.push(bytes);
  };
  return traffic;
}
