/** What `ssh=` may hold, what ssh's own words mean, and the gate before its logins. */

import { assertEquals, assertRejects, assertThrows } from "jsr:@std/assert@^1.0.19";
import { classifySsh, MASTER_GONE, SESSION_REFUSED } from "../../gateway/ssh/failures.ts";
import { Gate } from "../../gateway/ssh/gate.ts";
import { readSshWords } from "../../gateway/ssh/words.ts";
import { XSpec, XSpecError } from "../../xspec/mod.ts";
import { settle } from "../helpers/bounded.ts";

const read = (text: string, config = ""): ReturnType<typeof readSshWords> =>
  readSshWords(new XSpec(`ssh=${text}${config}`));

Deno.test("readSshWords() finds the host among options", () => {
  assertEquals(read("user@host"), { options: [], destination: "user@host", config: undefined });
  assertEquals(read("-p 5000 host -4Ci key").options, ["-p", "5000", "-4", "-C", "-i", "key"]);
  assertEquals(read("-p5000 -o 'SendEnv=A B' host").options, ["-p", "5000", "-o", "SendEnv=A B"]);
  assertEquals(read("-F none host").config, "none");
  assertEquals(read("host", "//ssh_config=/c").options, ["-F", "/c"]);
});

for (const text of ["-p 5000", "host ls", "-p", "-N host", "-4t host", "--help host", "-W a:1 host"]) {
  Deno.test(`readSshWords() refuses ${text}`, () => {
    assertEquals(assertThrows(() => read(text), XSpecError).key, "ssh");
  });
}

Deno.test("readSshWords() refuses two configuration files", () => {
  assertThrows(() => read("-F a host", "//ssh_config=b"), XSpecError, "given twice");
});

const WORDS = [
  ["ssh: Could not resolve hostname x: Name or service not known", "host"],
  ["No ED25519 host key is known for x\r\nHost key verification failed.", "hostkey"],
  ["u@x: Permission denied (publickey).", "auth"],
  ["ssh: connect to host x port 22: Connection refused", "refused"],
  ["ssh: connect to host x port 22: Connection timed out", "timeout"],
  ["kex_exchange_identification: Connection closed by remote host", "refused"],
  ["Host key verification failed.\nu@x: Permission denied (publickey).", "auth"],
  ["Host key verification failed.\nConnection closed by 192.0.2.7 port 22", "refused"],
  [
    "Received disconnect from 192.0.2.7 port 22:2: Host key verification failed.\nDisconnected from 192.0.2.7 port 22",
    "refused",
  ],
  ["u@jump: Permission denied (publickey).\r\nConnection closed by UNKNOWN port 65535", "auth"],
  ["Host key verification failed.\r\nKilled by signal 1.", "hostkey"],
  ["something else", "exit"],
] as const;

for (const [words, kind] of WORDS) {
  Deno.test(`classifySsh() takes "${words.slice(0, 40)}" for ${kind}`, () => {
    assertEquals(classifySsh(words).kind, kind);
  });
}

Deno.test("a refused session is told from a master that is gone", () => {
  const refused = "mux_client_request_session: session request failed: Session open refused by peer";
  assertEquals([SESSION_REFUSED.test(refused), MASTER_GONE.test(refused)], [true, false]);
  const gone = "mux_client_hello_exchange: read from master failed";
  assertEquals([SESSION_REFUSED.test(gone)], [false]);
  assertEquals(MASTER_GONE.test("Control socket connect(/m): Connection refused"), true);
});

Deno.test("Gate lets so many through at a time, in the order of coming", async () => {
  const gate = new Gate(2);
  const inside: number[] = [];
  const leaves: (() => void)[] = [];
  for (let i = 0; i < 4; i++) {
    void gate.enter().then((leave) => {
      inside.push(i);
      leaves.push(leave);
    });
  }
  await settle();
  assertEquals(inside, [0, 1]);
  leaves[0]!();
  leaves[0]!(); // Once only.
  await settle();
  assertEquals(inside, [0, 1, 2]);
  leaves[1]!();
  await settle();
  assertEquals(inside, [0, 1, 2, 3]);
});

Deno.test("Gate lets go of who does not want to wait any more", async () => {
  const gate = new Gate(1);
  const leave = await gate.enter();
  const abort = new AbortController();
  const given = gate.enter(abort.signal);
  const next = gate.enter();
  abort.abort(new Error("enough"));
  await assertRejects(() => given, Error, "enough");
  leave();
  (await next)();
  await assertRejects(() => Promise.all([gate.enter(), gate.enter(abort.signal)]), Error, "enough");
});
