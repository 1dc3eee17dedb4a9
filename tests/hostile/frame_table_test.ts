import { assert, assertEquals } from "jsr:@std/assert@^1.0.19";
import { ProtocolError } from "../../channel/errors.ts";
import { DataFlag, FrameType, makeFrame } from "../../channel/frame.ts";
import { Session } from "../../channel/session.ts";
import { test } from "../helpers/bounded.ts";
import { concat, dataFrame, uint48 } from "../helpers/sessions.ts";
import {
  AMID_BYTES,
  bytesOf,
  describeFrame,
  EXECUTIONS,
  SPARE,
  tableFrames,
  verdict,
} from "./frame_table.ts";

/** What the far side has said before. */
const BEFORE: Uint8Array = concat(
  makeFrame(FrameType.OPEN, 2, uint48(1)),
  makeFrame(FrameType.OPEN, 4, uint48(1)),
  makeFrame(FrameType.CLOSE_WRITE, 3),
  makeFrame(FrameType.CLOSE, 4),
  makeFrame(FrameType.CLOSE, 5),
  dataFrame(7, uint48(AMID_BYTES), DataFlag.FRAGMENT | DataFlag.FIRST),
);

/** A session to which bytes can be given at once. */
function scene(): { session: Session; push: (bytes: Uint8Array) => void } {
  let push!: (bytes: Uint8Array) => void;
  const session = new Session({
    read: () => Promise.resolve(null),
    write: () => Promise.resolve(),
    close: () => {},
    abort: () => {},
    receiveMessages: (take) => push = take,
    writeBudget: Infinity,
  }, { name: "gw0", firstId: 1 });
  for (let i = 0; i < EXECUTIONS; i++) session.exec(null);
  session.start();
  push(BEFORE.slice());
  return { session, push };
}

test("Session makes of every frame of the table what the protocol says", async () => {
  const counts = { "ends": 0, "goes on": 0 };
  for (const frame of tableFrames()) {
    const { session, push } = scene();
    push(bytesOf(frame));
    const found = session.alive ? "goes on" : "ends";
    if (found !== verdict(frame)) assertEquals(found, verdict(frame), describeFrame(frame));
    counts[found]++;
    if (found === "ends") {
      const reason = await session.ended;
      assert(reason instanceof ProtocolError, `${describeFrame(frame)}: ${reason}`);
      continue;
    }
    // The next frame is found where it is.
    push(dataFrame(SPARE, new Uint8Array([1])));
    const spare = [...session.ends].find(({ id }) => id === SPARE);
    assert(spare?.hasItem, describeFrame(frame));
    session.fail(undefined);
  }
  assert(counts.ends > 10_000 && counts["goes on"] > 1_000, JSON.stringify(counts));
});
