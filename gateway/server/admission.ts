/** How a connection becomes one of a client that has the token. */

import { FrameError, Kind } from "../socket/frames.ts";
import {
  helloVersion,
  makeHello,
  PROOF_BYTES,
  prove,
  sameProof,
  SERVER_PROTOCOL_VERSION,
  VERDICT,
} from "../socket/proof.ts";
import {
  EarlyEnd,
  NoHello,
  readExactly,
  readFields,
  readFrame,
  readHello,
  writeAll,
} from "../socket/wire.ts";
import type { Wire } from "../socket/wire.ts";

/** A connection is not taken, for this reason; it goes into the log. */
export class NotAdmitted extends Error {
  static {
    this.prototype.name = "NotAdmitted";
  }
}

/**
 * Lets the other side prove that it has the token, then proves the same. Nothing of what it sends is looked at before.
 *
 * @throws {NotAdmitted} when it is not to be talked to
 */
export async function admit(wire: Wire, token: CryptoKey): Promise<void> {
  try {
    const hello = makeHello();
    await writeAll(wire, hello);
    const theirs = await readHello(wire);
    const version = helloVersion(theirs);
    if (version !== SERVER_PROTOCOL_VERSION) throw new NotAdmitted(`it speaks version ${version}`);
    const proof = await readExactly(wire, PROOF_BYTES);
    if (!sameProof(proof, await prove(token, "client", theirs, hello))) {
      await writeAll(wire, new Uint8Array([VERDICT.denied]));
      throw new NotAdmitted("it does not have the token");
    }
    const answer = new Uint8Array(1 + PROOF_BYTES);
    answer[0] = VERDICT.granted;
    answer.set(await prove(token, "server", theirs, hello), 1);
    await writeAll(wire, answer);
  } catch (error) {
    throw reasonOf(error);
  }
}

/** Reads what an admitted client wants. Throws {@linkcode NotAdmitted} when that is nothing. */
export async function readStart(wire: Wire): Promise<Record<string, unknown>> {
  try {
    const { kind, payload } = await readFrame(wire);
    if (kind !== Kind.START) throw new FrameError(`Cannot start with a frame of kind ${kind}`);
    return readFields(payload);
  } catch (error) {
    throw reasonOf(error);
  }
}

function reasonOf(error: unknown): NotAdmitted {
  if (error instanceof NotAdmitted) return error;
  if (error instanceof NoHello) return new NotAdmitted("it is no execnet client");
  if (error instanceof EarlyEnd) return new NotAdmitted("it went away");
  return new NotAdmitted((error as Error).message);
}
