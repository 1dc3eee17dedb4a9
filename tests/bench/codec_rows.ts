/** The codec's figures as results for the table; codec.ts does its own interleaving. */

import type { CodecRow } from "./codec.ts";
import type { Goal, Result } from "./table.ts";

const AT_LEAST_MSGPACKR: Goal = {
  sign: "≥",
  value: 1,
  cause:
    "both spend their time in the same calls of the platform, but that msgpackr's native part makes all short " +
    "strings of an item in one call",
};
const AT_LEAST_STD: Goal = {
  sign: "≥",
  value: 20,
  cause: "@std/msgpack decodes well: the rest of both is making objects and strings",
};
const NEVER_LONGER: Goal = { sign: "≤", value: 1 };

/** Measures the codec. The peers come from npm; without them there is nothing to compare with. */
export async function codecResults(rounds: number, quick: boolean): Promise<Result[]> {
  let codec: typeof import("./codec.ts");
  let rows: CodecRow[];
  try {
    codec = await import("./codec.ts");
  } catch (error) {
    return [missing((error as Error).message)];
  }
  try {
    rows = codec.run(rounds, quick ? "small object" : "");
  } catch (error) {
    return [missing(`failed: ${(error as Error).message}`)];
  }
  const names = codec.CONTESTANTS;
  return rows.map(({ shape, work, unit, samples: [ours, msgpackr, std] }): Result => {
    // Who gives less than we do has an easier task.
    const isFair = !work.includes(":");
    const isObjects = isFair && unit === "/s" && shape.includes("object");
    return {
      id: "codec",
      variant: `${work} ${shape}`,
      unit,
      samples: ours,
      peers: [
        {
          name: names[1]!,
          samples: msgpackr,
          goal: unit === "B" ? NEVER_LONGER : isFair ? AT_LEAST_MSGPACKR : undefined,
        },
        {
          name: names[2]!,
          samples: std,
          goal: unit === "B" ? NEVER_LONGER : isObjects ? AT_LEAST_STD : undefined,
        },
      ],
    };
  });
}

function missing(reason: string): Result {
  return {
    id: "codec",
    variant: "",
    unit: "/s",
    samples: [],
    missing: reason,
    peers: [
      { name: "msgpackr", samples: [], goal: AT_LEAST_MSGPACKR },
      { name: "@std/msgpack", samples: [], goal: AT_LEAST_STD },
    ],
  };
}
