/** The codec's figures as results for the table; codec.ts does its own interleaving. */

import type { CodecRow } from "./codec.ts";
import type { Goal, Result } from "./table.ts";

const AT_LEAST_MSGPACKR: Goal = { sign: "≥", value: 1 };
const AT_LEAST_STD: Goal = { sign: "≥", value: 20 };

/** Measures the codec. The peers come from npm; without them there is nothing to compare with. */
export async function codecResults(quick: boolean): Promise<Result[]> {
  let rows: CodecRow[];
  try {
    const { run } = await import("./codec.ts");
    rows = run(quick ? "small object" : "");
  } catch (error) {
    return [missing(error instanceof Error ? error.message : String(error))];
  }
  return rows.filter(({ work }) => work === "encode" || work === "decode").map((row): Result => {
    const ours = 1e9 / row.ours;
    // A rate divided by the peer's rate is the peer's time divided by our time.
    return {
      id: "codec",
      variant: `${row.work} ${row.shape}`,
      unit: "/s",
      samples: [ours],
      peers: [
        { name: "msgpackr", samples: [ours / row.msgpackr], goal: AT_LEAST_MSGPACKR },
        {
          name: "@std/msgpack",
          samples: [ours / row.std],
          goal: row.shape.includes("object") ? AT_LEAST_STD : undefined,
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
