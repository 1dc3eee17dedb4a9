/** A certificate for one server and one client, which trust nobody else. The format is that of RFC 5280, in DER. */

/** A certificate and its key, as PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** Tags of ASN.1. */
const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OCTET_STRING = 0x04;
const OID = 0x06;
const UTF8 = 0x0c;
const SEQUENCE = 0x30;
const SET = 0x31;
const GENERALIZED_TIME = 0x18;

/** ecdsa-with-SHA256, of RFC 5758. */
const ECDSA_SHA256 = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const COMMON_NAME = [0x55, 0x04, 0x03];
const SUBJECT_ALT_NAME = [0x55, 0x1d, 0x11];

/** No clock is that wrong, and no gateway lives that long. */
const VALID_DAYS = 366;

/** Makes a certificate for the host by which a client will call the server. It is its own authority. */
export async function makeCertificate(host: string): Promise<Certificate> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256" } as const;
  const { publicKey, privateKey } = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const name = tlv(SEQUENCE, tlv(SET, tlv(SEQUENCE, tlv(OID, COMMON_NAME), tlv(UTF8, ascii("execnet")))));
  const signature = tlv(SEQUENCE, tlv(OID, ECDSA_SHA256));
  const day = 86_400_000;
  const body = tlv(
    SEQUENCE,
    tlv(0xa0, tlv(INTEGER, [2])),
    tlv(INTEGER, [0x01, ...crypto.getRandomValues(new Uint8Array(15))]),
    signature,
    name,
    tlv(SEQUENCE, time(Date.now() - day), time(Date.now() + VALID_DAYS * day)),
    name,
    new Uint8Array(await crypto.subtle.exportKey("spki", publicKey)),
    tlv(
      0xa3,
      tlv(
        SEQUENCE,
        tlv(SEQUENCE, tlv(OID, SUBJECT_ALT_NAME), tlv(OCTET_STRING, tlv(SEQUENCE, altName(host)))),
      ),
    ),
  );
  const raw = new Uint8Array(await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, privateKey, body));
  const signed = tlv(SEQUENCE, unsigned(raw.subarray(0, 32)), unsigned(raw.subarray(32)));
  const der = tlv(SEQUENCE, body, signature, tlv(BIT_STRING, [0], signed));
  return {
    cert: pem("CERTIFICATE", der),
    key: pem("PRIVATE KEY", new Uint8Array(await crypto.subtle.exportKey("pkcs8", privateKey))),
  };
}

/** A tag, a length and a value that is put together. */
function tlv(tag: number, ...parts: readonly (Uint8Array | readonly number[])[]): Uint8Array<ArrayBuffer> {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const head = length < 0x80 ? [tag, length] : length < 0x100 ? [tag, 0x81, length] : [
    tag,
    0x82,
    length >> 8,
    length & 0xff,
  ];
  const bytes = new Uint8Array(head.length + length);
  bytes.set(head);
  let at = head.length;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** A number that is not negative, in as few bytes as it takes. */
function unsigned(bytes: Uint8Array): Uint8Array {
  let from = 0;
  while (from < bytes.length - 1 && bytes[from] === 0) from++;
  const rest = bytes.subarray(from);
  return tlv(INTEGER, rest[0]! >= 0x80 ? [0] : [], rest);
}

function time(ms: number): Uint8Array {
  return tlv(GENERALIZED_TIME, ascii(`${new Date(ms).toISOString().replace(/[-:T]/g, "").slice(0, 14)}Z`));
}

/** An address is one thing for a certificate, and a name another. */
function altName(host: string): Uint8Array {
  if (/^\d+\.\d+\.\d+\.\d+$/.test(host)) return tlv(0x87, host.split(".").map(Number));
  if (host.includes(":")) return tlv(0x87, ipv6(host));
  return tlv(0x82, ascii(host));
}

function ipv6(host: string): number[] {
  const [left = "", right] = host.split("::");
  const groups = (text: string): number[] =>
    text === "" ? [] : text.split(":").map((group) => parseInt(group, 16));
  const before = groups(left);
  const behind = right === undefined ? [] : groups(right);
  const zeros = new Array<number>(8 - before.length - behind.length).fill(0);
  return [...before, ...zeros, ...behind].flatMap((group) => [group >> 8, group & 0xff]);
}

function ascii(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function pem(label: string, der: Uint8Array): string {
  const lines = der.toBase64().match(/.{1,64}/g)!;
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}
