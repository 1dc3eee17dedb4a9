/** A server and those who should not get in, or who are not what they seem; on the other side likewise. */

import { assert, assertEquals, assertMatch, assertRejects } from "jsr:@std/assert@^1.0.19";
import { ConnectError, type GatewayOptions, Group, HostNotFoundError, XSpecError } from "../../mod.ts";
import { HELLO_BYTES, makeHello, PROOF_BYTES, VERDICT } from "../../gateway/socket/proof.ts";
import { readExactly, writeAll } from "../../gateway/socket/wire.ts";
import { test } from "../helpers/bounded.ts";
import { withFolder } from "../helpers/folder.ts";
import { LeakCheck } from "../helpers/leaks.ts";
import { limited, until } from "../helpers/wait.ts";
import { withServer } from "./server_process.ts";
import type { RunningServer } from "./server_process.ts";
import { withTlsServer } from "./tls_server.ts";

/** Fails to make a gateway, which leaves nothing. */
async function failure(spec: string, options: GatewayOptions = {}): Promise<ConnectError> {
  const leaks = new LeakCheck();
  const group = new Group();
  const error = await assertRejects(
    () => group.makeGateway(spec, { stderr: "null", ...options }),
    ConnectError,
  ) as ConnectError;
  assertEquals(group.size, 0);
  await leaks.done();
  return error;
}

/** Makes a gateway, which works, and ends it. */
async function works(spec: string): Promise<void> {
  const leaks = new LeakCheck();
  const group = new Group();
  try {
    const gateway = await group.makeGateway(spec, { stderr: "null" });
    assertEquals(await gateway.call((n: number) => n + 1, 1), 2);
  } finally {
    await group.terminate();
  }
  await leaks.done();
}

/** Something that listens and does this with each connection, until the test has ended. */
async function listening(
  serve: (connection: Deno.TcpConn) => Promise<void>,
  body: (port: number) => Promise<void>,
): Promise<void> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving: Promise<void>[] = [];
  const open: Deno.Conn[] = [];
  const accepting = (async () => {
    try {
      for await (const connection of listener) {
        open.push(connection);
        serving.push(serve(connection).catch(() => {}));
      }
    } catch {
      // It is closed.
    }
  })();
  try {
    await body(listener.addr.port);
  } finally {
    for (const one of [listener, ...open]) closed(one);
    await accepting;
    await Promise.all(serving);
  }
}

function closed(one: { close(): void }): void {
  try {
    one.close();
  } catch {
    // It is.
  }
}

async function otherToken(folder: string): Promise<string> {
  const path = `${folder}/other`;
  await Deno.writeTextFile(path, "another-token-of-some-length\n", { mode: 0o600 });
  return path;
}

/** Reads to the end, whatever that looks like. */
async function drain(connection: Deno.Conn): Promise<number> {
  let total = 0;
  const buffer = new Uint8Array(4096);
  try {
    for (let n = await connection.read(buffer); n !== null; n = await connection.read(buffer)) total += n;
  } catch {
    // It was reset.
  }
  return total;
}

test("a client with another token is not let in, nor one without any", async () => {
  await withServer([], async (server) => {
    const other = await otherToken(server.folder);
    const error = await failure(`socket=127.0.0.1:${server.port}//token_file=${other}`);
    assertEquals(error.kind, "auth");
    assertMatch(error.message, /another token/);
    await server.log.has("rejected");
    assertMatch(server.log.text, /127\.0\.0\.1:\d+ rejected after \d\.\d s: it does not have the token\n/);
    assert(!/another-token-of-some-length/.test(`${server.log.text}${error.message}`));
    const none = await failure(`socket=127.0.0.1:${server.port}//token_file=${server.folder}/missing`);
    assertEquals(none.kind, "auth");
    assertMatch(none.message, /missing.*no such file/);
    await works(server.spec());
  });
});

test("a server that does not have the token is not believed", async () => {
  await withFolder(async (folder) => {
    const token = await otherToken(folder);
    for (const answer of ["wrong", "reflected"]) {
      await listening(async (connection) => {
        const hello = makeHello();
        await writeAll(connection, hello);
        await readExactly(connection, HELLO_BYTES);
        const proof = await readExactly(connection, PROOF_BYTES);
        const reply = new Uint8Array(1 + PROOF_BYTES);
        reply[0] = VERDICT.granted;
        if (answer === "reflected") reply.set(proof, 1);
        await writeAll(connection, reply);
        // Nothing of what is to be started may be told to it.
        assertEquals(await drain(connection), 0);
      }, async (port) => {
        const error = await failure(`socket=127.0.0.1:${port}//token_file=${token}//env:SECRET=x`);
        assertEquals(error.kind, "auth");
        assertMatch(error.message, /cannot prove/);
      });
    }
  });
});

test("a recorded connection cannot be played again", async () => {
  await withServer([], async (server) => {
    const recorded: Uint8Array[] = [];
    await listening(async (client) => {
      const far = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
      const back = far.readable.pipeTo(client.writable).catch(() => {});
      const buffer = new Uint8Array(64 * 1024);
      for (let n = await client.read(buffer); n !== null; n = await client.read(buffer)) {
        recorded.push(buffer.slice(0, n));
        await writeAll(far, buffer.subarray(0, n));
      }
      closed(far);
      await back;
    }, (port) => works(`socket=127.0.0.1:${port}//token_file=${server.folder}/token`));
    const again = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
    for (const part of recorded) await writeAll(again, part).catch(() => {});
    // A hello and a denial, or the reset that follows on what else was sent.
    assert(await limited("the end", drain(again)) <= HELLO_BYTES + 1);
    closed(again);
    await server.log.has("it does not have the token");
    assertEquals(server.log.text.match(/started gateway/g)?.length, 1);
  });
});

test("what does not talk is ended after --handshake-timeout, wherever it stopped", async () => {
  await withServer(["--handshake-timeout", "300"], async (server) => {
    const hello = makeHello();
    for (const bytes of [new Uint8Array(0), hello.subarray(0, 1), hello.subarray(0, 20), hello]) {
      const started = performance.now();
      const connection = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
      if (bytes.length > 0) await writeAll(connection, bytes);
      await limited("the end of the connection", drain(connection));
      assert(performance.now() - started > 250);
      closed(connection);
    }
    await until("four are rejected", () => server.log.text.match(/it took too long/g)?.length === 4);
  });
});

test("hostile bytes are ended at once, and harm nobody", async () => {
  await withServer([], async (server) => {
    for (let round = 0; round < 40; round++) {
      const connection = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
      const noise = crypto.getRandomValues(new Uint8Array(1 + round * 100));
      await writeAll(connection, round % 2 === 0 ? noise : new TextEncoder().encode("GET / HTTP/1.0\r\n\r\n"))
        .catch(() => {});
      await limited("the end of the connection", drain(connection));
      closed(connection);
    }
    await works(server.spec());
  });
});

test("a flood of idle connections keeps no client out", async () => {
  await withServer([], async (server) => {
    const flood: Deno.Conn[] = [];
    for (let i = 0; i < 400; i++) {
      flood.push(await Deno.connect({ hostname: "127.0.0.1", port: server.port }));
    }
    await works(server.spec());
    await server.log.has("there were too many others");
    for (const one of flood) closed(one);
  });
});

test("TLS works, by name and by address, and for large items", async () => {
  await withTlsServer(async (server, keys) => {
    assertMatch(server.out.text, /with TLS/);
    await works(server.spec(keys));
    const local = `socket=localhost:${server.port}//token_file=${server.folder}/token//${keys}`;
    await works(local);
    const group = new Group();
    const gateway = await group.makeGateway(local, { stderr: "null" });
    const item = new Uint8Array(20 * 2 ** 20).map((_, i) => i % 251);
    const channel = gateway.remoteExec(`channel.send(await channel.receive())`);
    await channel.send(item);
    assertEquals(await channel.receive(), item);
    await group.terminate();
  });
});

test("a certificate that is not trusted, or of another host, is kind auth", async () => {
  await withTlsServer(async (server, keys) => {
    const unknown = await failure(server.spec("tls"));
    assertEquals(unknown.kind, "auth");
    assertMatch(unknown.message, /not trusted/);
    const elsewhere = server.spec(keys).replace("127.0.0.1", "127.0.0.2");
    await listening(async (client) => {
      const far = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
      await Promise.all([far.readable.pipeTo(client.writable), client.readable.pipeTo(far.writable)]);
    }, async (port) => {
      // The same server, under a name that is not in its certificate.
      const error = await failure(elsewhere.replace(/127\.0\.0\.2:\d+/, `localhost.localdomain:${port}`))
        .catch(() => undefined);
      if (error !== undefined) assert(error.kind === "auth" || error.kind === "host", error.message);
    });
    assertEquals((await failure(server.spec("tls//tls_ca=/nowhere/ca.pem"))).kind, "auth");
  });
});

test("a connection that does not go on with TLS is let go of", async () => {
  await withTlsServer(async (server, keys) => {
    await works(server.spec(keys));
    const descriptors = (): number => [...Deno.readDirSync(`/proc/${server.process.pid}/fd`)].length;
    const before = descriptors();
    // Nothing at all, and the beginning of a record whose rest never comes.
    const words = [new Uint8Array(0), new Uint8Array([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3])];
    const clients = await Promise.all(Array.from({ length: 40 }, async (_, i) => {
      const client = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
      await client.write(words[i % words.length]!);
      return client;
    }));
    for (const client of clients) {
      await limited("the end of a connection", client.read(new Uint8Array(1)).catch(() => null), 10_000);
    }
    // The clients stay, and the server holds nothing of them.
    await until("they are given back", () => descriptors() <= before);
    await until("the log says why", () => /rejected .* it took too long/.test(server.log.text));
    await works(server.spec(keys));
    for (const client of clients) client.close();
  }, ["--handshake-timeout", "500"]);
});

test("TLS to a plain server, and plain to one with TLS, are said at once", async () => {
  await withServer([], async (server) => {
    const started = performance.now();
    const error = await failure(server.spec("tls"));
    assertEquals(error.kind, "noise");
    assertMatch(error.message, /without TLS/);
    assert(performance.now() - started < 5_000);
  });
  await withTlsServer(async (server) => {
    const started = performance.now();
    const error = await failure(server.spec());
    assertEquals(error.kind, "noise");
    assertMatch(error.message, /needs the key tls/);
    assert(performance.now() - started < 5_000);
    await works(server.spec(`tls//tls_ca=${await caOf(server)}`));
  });
});

/** The authority of the server's certificate, which lies beside it. */
async function caOf(server: RunningServer): Promise<string> {
  const words = (await Deno.readTextFile(`/proc/${server.process.pid}/cmdline`)).split("\0");
  return words[words.indexOf("--tls-cert") + 1]!.replace("cert.pem", "ca.pem");
}

test("a server listens on IPv6", async () => {
  await withServer([], async (server) => {
    assertMatch(server.out.text, /listening on \[::1\]:\d+/);
    await works(server.spec());
    assertMatch(server.log.text, /\[::1\]:\d+ started gateway/);
  }, { listen: "[::1]:0" });
});

test("beyond loopback a server listens with --insecure", async () => {
  await withServer(["--insecure"], (server) => works(server.spec()), { listen: "0.0.0.0:0" });
});

test("every way of not getting there has its kind", async () => {
  await withFolder(async (folder) => {
    const token = `token_file=${await otherToken(folder)}`;
    const host = await failure(`socket=no-such-host.invalid:1//${token}`);
    assert(host instanceof HostNotFoundError);
    assertMatch(host.message, /no-such-host\.invalid/);
    const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = listener.addr;
    listener.close();
    assertEquals((await failure(`socket=127.0.0.1:${port}//${token}`)).kind, "refused");
    const says: [text: string, kind: string, message: RegExp][] = [
      ["HTTP/1.1 400 Bad Request\r\n\r\n", "noise", /no execnet server.*HTTP\/1\.1 400/s],
      ["SSH-2.0-OpenSSH_9.2\r\n", "noise", /SSH-2\.0/],
      ["\x00\xffexecnetd\r\n\x00\x09" + "n".repeat(32), "version", /version 9/],
    ];
    for (const [text, kind, message] of says) {
      await listening(async (connection) => {
        await writeAll(connection, Uint8Array.from(text, (one) => one.charCodeAt(0)));
        await drain(connection);
      }, async (port) => {
        const error = await failure(`socket=127.0.0.1:${port}//${token}`);
        assertEquals(error.kind, kind, error.message);
        assertMatch(error.message, message);
      });
    }
    await listening((connection) => Promise.resolve(connection.close()), async (port) => {
      assertEquals((await failure(`socket=127.0.0.1:${port}//${token}`)).kind, "noise");
    });
    await listening(async (connection) => void await drain(connection), async (port) => {
      const error = await failure(`socket=127.0.0.1:${port}//${token}`, { connectTimeout: 300 });
      assertEquals(error.kind, "timeout");
    });
  });
});

test("a spec that no server could meet is refused before anything is started", async () => {
  const group = new Group();
  for (const keys of ["deno=deno", "provision", "nice=-1", "tls_ca=/x", "via=a"]) {
    const error = await assertRejects(
      () => group.makeGateway(`socket=127.0.0.1:1//${keys}`),
      XSpecError,
    ) as XSpecError;
    assertEquals(error.key, keys.split("=")[0]);
  }
});

test("a start that is aborted at any moment leaves nothing on either side", async () => {
  await withServer([], async (server) => {
    const group = new Group();
    for (let ms = 0; ms < 90; ms += 6) {
      const abort = new AbortController();
      const timer = setTimeout(() => abort.abort(new RangeError("enough")), ms);
      await group.makeGateway(server.spec("execmodel=main"), { signal: abort.signal, stderr: "null" }).then(
        (gateway) => gateway[Symbol.asyncDispose](),
        (error) => assertEquals(error.message, "enough"),
      );
      clearTimeout(timer);
    }
    await until("no process is left on the server", () => server.children().length === 0);
    await works(server.spec());
  });
});

test("the client traces its side", async () => {
  await withServer([], async (server) => {
    const program = `import { makeGateway } from ${
      JSON.stringify(new URL("../../mod.ts", import.meta.url).href)
    };
      await using gw = await makeGateway(${JSON.stringify(server.spec())});
      await gw.call(() => 1);`;
    const { stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["eval", program],
      cwd: new URL("../../", import.meta.url),
      env: { EXECNET_DEBUG: "2", NO_COLOR: "1" },
    }).output();
    const text = new TextDecoder().decode(stderr);
    assertMatch(text, /\] gw0 starting socket execmodel=worker\n/);
    assertMatch(text, /\] gw0 connected pid=\d+\n/);
    assertMatch(text, /\] gw0 started agent execmodel=worker\n/);
    assertMatch(text, /\] gw0 ended code=0\n/);
  });
});
