/**
 * Fuzzes the session, on either side and with links past the router, by sequences of frames that mostly could be.
 *
 * - Nothing is thrown out of it, no rejection is left to nobody, and who waits gets an error that is documented.
 * - It ends with a ProtocolError, or goes on; where the frames are wrong as such, it has ended.
 * - When it goes on, an honest channel that was opened before works, unless a frame was about that one.
 * - What it holds is bounded by what came; what it writes are whole frames.
 */

import { ProtocolError } from "../../channel/errors.ts";
import { FrameType, MAX_BYPASS_PAYLOAD_BYTES, MAX_PAYLOAD_BYTES, readUint48 } from "../../channel/frame.ts";
import { MAX_WINDOW_BYTES, OVERDRAFT_BYTES } from "../../channel/window.ts";
import { concat } from "../helpers/sessions.ts";
import { plainFrames } from "./plain_frames.ts";
import type { PlainFrames } from "./plain_frames.ts";
import { changedInput, goodInputs, HONEST, stepsOf } from "./session_input.ts";
import { Scene, turn } from "./session_scene.ts";
import { blurred, hold } from "./target.ts";
import type { Outcome, Target } from "./target.ts";

/** A frame of one byte takes thirteen, and counts as 129. */
const MOST_FOR_A_BYTE = 10;

async function run(input: Uint8Array): Promise<Outcome> {
  const scene = new Scene(input[0] ?? 0);
  for (const step of stepsOf(input)) await scene.step(step);
  await turn();
  scene.check();
  const { session } = scene;
  const came = scene.fed.map((parts, i) => plainFrames(concat(...parts), limitOf(i)));
  checkBounds(scene);
  let kind: string;
  let reason: unknown;
  if (session.alive) {
    hold(typeof came[0]!.end === "string", "It goes on after a frame that is none");
    kind = scene.ended ? "waits for links" : "goes on";
    if (kind === "goes on" && came[0]!.end === "boundary" && !came.some(meetsHonest)) {
      await scene.honest(() => saysHonest(scene));
    }
    scene.check();
  } else {
    reason = await session.ended;
    const inOrder = reason === undefined && (scene.ended || scene.ownLinkEnded || scene.isRemote);
    hold(
      inOrder || reason instanceof ProtocolError,
      `It ended with ${reason instanceof Error ? reason.stack : reason}`,
    );
    kind = inOrder ? "ends" : "ProtocolError";
  }
  const wrote = scene.written().map((bytes, i) => plainFrames(bytes, limitOf(i)));
  hold(wrote.every(({ end }) => end === "boundary"), "It wrote something that is no frame");
  await scene.end();
  const types = wrote.map(({ frames }) => [...new Set(frames.map(({ type }) => type))].sort().join(","));
  const message = reason instanceof Error ? blurred(reason.message) : "";
  return {
    kind,
    feature: `${kind} ${message} ${types.join("|")} ${[...scene.errors].sort()} ${scene.isRemote}`,
  };
}

function limitOf(index: number): number {
  return index === 0 ? MAX_PAYLOAD_BYTES : MAX_BYPASS_PAYLOAD_BYTES;
}

/** Whether a frame is about the honest channel, as it may be. */
function meetsHonest({ frames }: PlainFrames): boolean {
  return frames.some(({ type, channel, payload }) =>
    channel === HONEST || type === FrameType.OPEN && payload.length === 6 && readUint48(payload, 0) === HONEST
  );
}

function saysHonest(scene: Scene): boolean {
  return plainFrames(scene.written()[0]!).frames.some(({ type, channel }) =>
    type === FrameType.DATA && channel === HONEST
  );
}

function checkBounds({ session, fed }: Scene): void {
  const bytes = fed.flat().reduce((sum, part) => sum + part.length, 0);
  let unread = 0;
  for (const { status } of session.ends) {
    unread += status.unread;
    hold(status.sendCredit <= MAX_WINDOW_BYTES, `A credit of ${status.sendCredit} bytes`);
    hold(status.sendCredit >= -OVERDRAFT_BYTES, `A credit of ${status.sendCredit} bytes`);
  }
  hold(unread <= MOST_FOR_A_BYTE * bytes, `${unread} bytes unread of ${bytes} that came`);
}

/** The session. */
export const SESSION: Target = {
  name: "session",
  share: 7,
  short: 1_500,
  maxBytes: 1_600,
  isAsync: true,
  memory: { base: 96 * 2 ** 20, factor: 8_000 },
  seeds: goodInputs,
  mutate: changedInput,
  run,
};
