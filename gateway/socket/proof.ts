/** How both sides of a connection prove that they have the token, without sending it: `PROTOCOL.md`. No I/O. */

/** The version of the protocol between client and server. */
export const SERVER_PROTOCOL_VERSION = 1;

/** No text begins like this, nor does TLS. */
const MAGIC: Uint8Array = new Uint8Array([0x00, 0xff, ...new TextEncoder().encode("execnetd"), 0x0d, 0x0a]);

const NONCE_BYTES = 32;

/** Magic, version (16 bits), nonce. */
export const HELLO_BYTES: number = MAGIC.length + 2 + NONCE_BYTES;

/** HMAC-SHA-256. */
export const PROOF_BYTES = 32;

/** The server's answer to a proof: its own proof follows, or nothing. */
export const VERDICT = { denied: 0, granted: 1 } as const;

/** Who proves. It is part of what is proved, so that no proof can be sent back to where it came from. */
export type Role = "client" | "server";

/** The first bytes of either side, with a nonce of its own. */
export function makeHello(): Uint8Array<ArrayBuffer> {
  const hello = new Uint8Array(HELLO_BYTES);
  hello.set(MAGIC);
  new DataView(hello.buffer).setUint16(MAGIC.length, SERVER_PROTOCOL_VERSION);
  crypto.getRandomValues(hello.subarray(MAGIC.length + 2));
  return hello;
}

/** Whether the bytes that have come so far can be the beginning of a hello. */
export function mayBeHello(bytes: Uint8Array): boolean {
  return bytes.subarray(0, MAGIC.length).every((byte, i) => byte === MAGIC[i]);
}

/** The version that a whole hello names. */
export function helloVersion(hello: Uint8Array): number {
  return hello[MAGIC.length]! << 8 | hello[MAGIC.length + 1]!;
}

/** The key of a token. */
export function importToken(token: string): Promise<CryptoKey> {
  return crypto.subtle.importKey(
    "raw",
    new TextEncoder().encode(token),
    { name: "HMAC", hash: "SHA-256" },
    false,
    ["sign"],
  );
}

/** The proof of one side, over its role and both hellos: magic, version and nonce of each. */
export async function prove(
  token: CryptoKey,
  role: Role,
  clientHello: Uint8Array,
  serverHello: Uint8Array,
): Promise<Uint8Array<ArrayBuffer>> {
  const label = new TextEncoder().encode(`execnet socket ${role}\0`);
  const transcript = new Uint8Array(label.length + 2 * HELLO_BYTES);
  transcript.set(label);
  transcript.set(clientHello, label.length);
  transcript.set(serverHello, label.length + HELLO_BYTES);
  return new Uint8Array(await crypto.subtle.sign("HMAC", token, transcript));
}

/** Whether a proof is the expected one; takes as long for every wrong one. */
export function sameProof(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== PROOF_BYTES || b.length !== PROOF_BYTES) return false;
  let difference = 0;
  for (let i = 0; i < PROOF_BYTES; i++) difference |= a[i]! ^ b[i]!;
  return difference === 0;
}
