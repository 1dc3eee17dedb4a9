/** The handshake, over wires in memory: every way in which the other side may lie. */

import { assert, assertEquals, assertRejects } from "jsr:@std/assert@^1.0.19";
import { admit, NotAdmitted, readStart } from "../../gateway/server/admission.ts";
import { HEADER_BYTES, Kind, writeHeader } from "../../gateway/socket/frames.ts";
import {
  HELLO_BYTES,
  importToken,
  makeHello,
  PROOF_BYTES,
  prove,
  sameProof,
  VERDICT,
} from "../../gateway/socket/proof.ts";
import { readExactly, readHello, writeAll } from "../../gateway/socket/wire.ts";
import type { Wire } from "../../gateway/socket/wire.ts";
import { memoryLink } from "../../gateway/inside/memory_link.ts";
import { test } from "../helpers/bounded.ts";
import { Random } from "../helpers/seeded.ts";

const TOKEN = await importToken("a token of some length");
const OTHER = await importToken("quite another token of some length");

/** The two ends of a connection in memory. */
function wires(): [server: Wire, client: Wire & { end: () => void }] {
  const [a, b] = memoryLink();
  const wire = (side: typeof a): Wire & { end: () => void } => ({
    read: (into) => side.read(into),
    write: async (bytes) => {
      await side.write(bytes.slice(), true);
      return bytes.length;
    },
    end: () => side.close(),
  });
  return [wire(a), wire(b)];
}

/** What the server makes of a client that does this. */
async function against(client: (wire: Wire & { end: () => void }) => Promise<void>): Promise<string> {
  const [server, far] = wires();
  const admitted = admit(server, TOKEN).then(() => "admitted", (error) => {
    assert(error instanceof NotAdmitted, String(error));
    return error.message;
  });
  await client(far);
  far.end();
  return await admitted;
}

test("admit() lets in who has the token, and proves itself", async () => {
  const [server, client] = wires();
  const admitted = admit(server, TOKEN);
  const hello = makeHello();
  await writeAll(client, hello);
  const theirs = await readHello(client);
  await writeAll(client, await prove(TOKEN, "client", hello, theirs));
  const answer = await readExactly(client, 1 + PROOF_BYTES);
  await admitted;
  assertEquals(answer[0], VERDICT.granted);
  assert(sameProof(answer.subarray(1), await prove(TOKEN, "server", hello, theirs)));
});

test("admit() denies another token, and says nothing that would help", async () => {
  const message = await against(async (client) => {
    const hello = makeHello();
    await writeAll(client, hello);
    const theirs = await readHello(client);
    await writeAll(client, await prove(OTHER, "client", hello, theirs));
    assertEquals([...await readExactly(client, 1)], [VERDICT.denied]);
  });
  assertEquals(message, "it does not have the token");
});

test("admit() denies a proof of another connection, of the other role, and of other nonces", async () => {
  let recorded: Uint8Array[] = [];
  assertEquals(
    await against(async (client) => {
      const hello = makeHello();
      await writeAll(client, hello);
      const theirs = await readHello(client);
      const proof = await prove(TOKEN, "client", hello, theirs);
      recorded = [hello, proof];
      await writeAll(client, proof);
      await readExactly(client, 1 + PROOF_BYTES);
    }),
    "admitted",
  );
  const replayed = await against(async (client) => {
    await writeAll(client, recorded[0]!);
    await readHello(client);
    await writeAll(client, recorded[1]!);
    await readExactly(client, 1);
  });
  assertEquals(replayed, "it does not have the token");
  const reflected = await against(async (client) => {
    // The server's own nonce, sent back.
    const theirs = await readHello(client);
    await writeAll(client, theirs);
    await writeAll(client, await prove(TOKEN, "server", theirs, theirs));
    await readExactly(client, 1);
  });
  assertEquals(reflected, "it does not have the token");
});

test("admit() knows another version, and does not go on with it", async () => {
  const message = await against(async (client) => {
    const hello = makeHello();
    hello[13] = 9;
    await writeAll(client, hello);
  });
  assertEquals(message, "it speaks version 9");
});

test("admit() ends on whatever else comes", async () => {
  const texts = ["GET / HTTP/1.1\r\n\r\n", "SSH-2.0-OpenSSH\r\n", "\x16\x03\x01\x02\x00\x01", "x"];
  for (const text of texts) {
    const message = await against((client) => writeAll(client, new TextEncoder().encode(text)));
    assertEquals(message, "it is no execnet client", text);
  }
  assertEquals(await against(() => Promise.resolve()), "it went away");
  const hello = makeHello();
  for (let cut = 1; cut < HELLO_BYTES; cut++) {
    const message = await against((client) => writeAll(client, hello.subarray(0, cut)));
    assert(/no execnet client|went away/.test(message), message);
  }
});

test("admit() ends on random bytes behind a hello", async () => {
  const seed = Date.now() % 1_000_000;
  const random = new Random(seed);
  for (let round = 0; round < 200; round++) {
    const bytes = Uint8Array.from({ length: random.between(1, 200) }, () => random.below(256));
    const message = await against(async (client) => {
      await writeAll(client, makeHello());
      await writeAll(client, bytes);
    });
    assert(/does not have the token|went away/.test(message), `seed ${seed}: ${message}`);
  }
});

test("readStart() takes one frame of fields, and no other", async () => {
  const refused = async (kind: number, length: number, payload: Uint8Array): Promise<string> => {
    const [server, client] = wires();
    const header = new Uint8Array(HEADER_BYTES);
    writeHeader(header, kind, length);
    await writeAll(client, header);
    await writeAll(client, payload);
    client.end();
    return (await assertRejects(() => readStart(server), NotAdmitted)).message;
  };
  const nothing = new Uint8Array(0);
  assertEquals(
    await refused(Kind.START, 0xffffff, nothing),
    `Cannot read a frame of kind ${Kind.START}: 16777215 bytes are too many`,
  );
  assert((await refused(Kind.DATA, 0xffffff, nothing)).includes("16777215"));
  assert((await refused(Kind.KILL, 0, nothing)).includes(`kind ${Kind.KILL}`));
  assert((await refused(Kind.START, 1, new Uint8Array([0x93]))).includes("content"));
  assert((await refused(Kind.START, 1, new Uint8Array([0x05]))).includes("fields"));
  assertEquals(await refused(Kind.START, 9, nothing), "it went away");
});
