/** Gateways through a server: its options, what it allows, and how each side's end ends the other. */

import { assert, assertEquals, assertMatch, assertRejects } from "jsr:@std/assert@^1.0.19";
import { ConnectError, GatewayClosedError, Group } from "../../mod.ts";
import type { Channel, Gateway, GatewayOptions } from "../../mod.ts";
import { test } from "../helpers/bounded.ts";
import { withFolder } from "../helpers/folder.ts";
import { gone, LeakCheck } from "../helpers/leaks.ts";
import { limited, until } from "../helpers/wait.ts";
import { runServer, withServer } from "./server_process.ts";
import type { RunningServer } from "./server_process.ts";

const ROOT = new URL("../../", import.meta.url);

/** Makes gateways that end with the test. */
async function withGroup(
  body: (open: (spec: string, options?: GatewayOptions) => Promise<Gateway>) => Promise<void>,
): Promise<void> {
  const leaks = new LeakCheck();
  const group = new Group();
  try {
    await body((spec, options) => group.makeGateway(spec, { stderr: "null", ...options }));
  } finally {
    await group.terminate({ timeout: 2_000 });
  }
  await leaks.done();
}

async function refusal(open: Promise<Gateway>): Promise<ConnectError> {
  const error = await assertRejects(() => open, ConnectError) as ConnectError;
  assertEquals(error.kind, "refused", error.message);
  return error;
}

test("the server prints its help, and refuses a command line that makes no sense", async () => {
  const help = await runServer(["--help"]);
  assertEquals([help.code, help.err], [0, ""]);
  assertMatch(help.out, /--token-file FILE/);
  const wrong: [string[], RegExp][] = [
    [[], /--listen/],
    [["--listen", "0", "--nonsense"], /--nonsense/],
    [["--listen", "0.0.0.0:0"], /--insecure/],
    [["--listen", "0", "--allow", "reed"], /allow-read/],
  ];
  for (const [args, says] of wrong) {
    const { code, out, err } = await runServer(args);
    assertEquals([code, out], [2, ""], err);
    assertMatch(err, says);
  }
});

test("the server keeps its token from others, and refuses one that others can read", async () => {
  await withFolder(async (folder) => {
    const path = `${folder}/deep/token`;
    await withServer(["--token-file", path], async () => {
      assertEquals(Deno.statSync(path).mode! & 0o777, 0o600);
      await Promise.resolve();
    }, { tokenFile: false });
    await Deno.chmod(path, 0o640);
    const { code, err } = await runServer(["--listen", "0", "--token-file", path]);
    assertEquals(code, 1);
    assertMatch(err, /others may read it \(mode 640\); chmod 600/);
    await Deno.writeTextFile(`${folder}/short`, "secret\n", { mode: 0o600 });
    const short = await runServer(["--listen", "0", "--token-file", `${folder}/short`]);
    assertEquals(short.code, 1);
    assertMatch(short.err, /16 characters/);
    assert(!short.err.includes("secret"));
  });
});

test("server and client of one user need nothing but the address", async () => {
  await withFolder(async (folder) => {
    const env = { XDG_CONFIG_HOME: folder };
    await withServer([], async ({ port }) => {
      assertEquals(Deno.statSync(`${folder}/execnet/token`).mode! & 0o777, 0o600);
      const program = `import { makeGateway } from ${JSON.stringify(new URL("mod.ts", ROOT).href)};
        await using gw = await makeGateway("socket=localhost:${port}");
        console.log(await gw.call(() => 6 * 7), gw.remoteAddress);`;
      const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["eval", program],
        cwd: ROOT,
        env,
      }).output();
      const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
      assertEquals(text(stdout).trim(), "42 localhost", text(stderr));
    }, { env, tokenFile: false });
  });
});

test("the token may come by standard input, whose end may be the server's", async () => {
  await withFolder(async (folder) => {
    const token = "a-token-that-nobody-else-has";
    await Deno.writeTextFile(`${folder}/token`, token, { mode: 0o600 });
    await withServer(["--token-file", "-", "--end-with-stdin"], async ({ process, port, log }) => {
      await withGroup(async (open) => {
        const gateway = await open(`socket=127.0.0.1:${port}//token_file=${folder}/token`);
        assertEquals(await gateway.call(() => 1), 1);
        assert(!(await Deno.readTextFile(`/proc/${process.pid}/cmdline`)).includes(token));
      });
      assert(!log.text.includes(token));
    }, { tokenFile: false, stdin: `${token}\n` });
  });
});

for (const model of ["worker", "main", "process"]) {
  test(`a socket gateway works with execmodel=${model}`, async () => {
    await withServer([], async (server) => {
      await withGroup(async (open) => {
        const gateway = await open(server.spec(`execmodel=${model}`), { stderr: "piped" });
        assertEquals(gateway.remoteAddress, "127.0.0.1");
        const { pid, cwd, permissions } = await gateway.remoteInfo();
        assert(server.children().includes(pid));
        assertEquals([cwd, permissions], [server.folder, []]);
        const channel = gateway.remoteExec(`
          console.log("printed there");
          const refused = await Deno.readTextFile("/etc/hostname").then(() => "", (error) => error.name);
          await channel.send([await channel.receive(), refused]);
        `);
        await channel.send(41);
        assertEquals(await channel.receive(), [41, "NotCapable"]);
        const piped = new TextDecoder().decode((await gateway.stderr!.getReader().read()).value);
        assertMatch(piped, /printed there/);
        gateway.exit();
        const { code, reason, forced, stderrTail } = await gateway.join();
        assertEquals([code, reason, forced, stderrTail], [0, "requested", false, "printed there"]);
      });
      await server.log.has("ended gateway");
      assertMatch(server.log.text, /127\.0\.0\.1:\d+ started gateway "gw0" pid=\d+ execmodel=\w+: nothing\n/);
      assertMatch(server.log.text, /ended gateway "gw0" pid=\d+ code=0 after \d+\.\d s\n/);
    });
  });
}

test("the server allows what is on its list, and refuses the rest by the key that asks for it", async () => {
  await withFolder(async (folder) => {
    await Deno.mkdir(`${folder}/in`);
    await Deno.writeTextFile(`${folder}/in/file`, "content");
    await Deno.symlink("/etc", `${folder}/in/out`);
    const allow = [`read=${folder}/in`, `write=${folder}/in`, "env=LANG", "net=localhost:80", "run=true"]
      .flatMap((one) => ["--allow", one]);
    await withServer([...allow, "--memory", "256M"], async (server) => {
      await withGroup(async (open) => {
        const keys =
          `allow-read=${folder}/in//allow-env=LANG//allow-net=localhost:80//env:LANG=C//memory=128M`;
        const gateway = await open(server.spec(`${keys}//chdir=${folder}/in/new/deep//nice=3`));
        assertEquals((await gateway.remoteInfo()).cwd, `${folder}/in/new/deep`);
        const channel = gateway.remoteExec(
          `channel.send([await Deno.readTextFile("../../file"), Deno.env.get("LANG")])`,
        );
        assertEquals(await channel.receive(), ["content", "C"]);

        const beyond: [keys: string, key: string][] = [
          ["allow-all", "allow-all"],
          ["allow-read", "allow-read"],
          ["allow-read=/etc", "allow-read"],
          [`allow-read=${folder}/in/../other`, "allow-read"],
          [`allow-read=${folder}/in/out`, "allow-read"],
          [`chdir=${folder}/in//allow-read=..`, "allow-read"],
          ["allow-net=localhost", "allow-net"],
          ["allow-run=false", "allow-run"],
          ["allow-sys", "allow-sys"],
          ["allow-ffi", "allow-ffi"],
          ["allow-import", "allow-import"],
          ["env:HOME=/x", "env:HOME"],
          ["env:LD_PRELOAD=/x", "env:LD_PRELOAD"],
          ["memory=512M", "memory"],
          ["chdir=/nowhere/at/all", "chdir"],
          [`chdir=${folder}/in/file`, "chdir"],
          [`chdir=${folder}/in/out/new`, "chdir"],
        ];
        for (const [keys, key] of beyond) {
          const error = await refusal(
            open(server.spec(keys)).then((gateway) => {
              throw new Error(`${keys} is allowed to ${gateway.id}`);
            }),
          );
          assert(error.message.includes(`(key "${key}")`), `${keys}: ${error.message}`);
        }
        assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name), ["in"]);
      });
    });
  });
});

test("a relative path is relative to the gateway's folder, for the list as for Deno", async () => {
  await withFolder(async (folder) => {
    await Deno.mkdir(`${folder}/a`);
    await Deno.writeTextFile(`${folder}/a/file`, "x");
    await withServer(["--allow", "read=."], async (server) => {
      await withGroup(async (open) => {
        const gateway = await open(server.spec(`chdir=a//allow-read=.`));
        assertEquals(
          await gateway.remoteExec(`channel.send(await Deno.readTextFile("file"))`).receive(),
          "x",
        );
        await refusal(open(server.spec(`chdir=a//allow-read=../..`)));
      });
    }, { cwd: folder });
  });
});

test("a hostile client of execmodel=process gets no more than the list", async () => {
  // What the agent of that model may do is much, so it must be the server's own: what is sent in its place is data.
  await withServer([], async (server) => {
    await withGroup(async (open) => {
      const gateway = await open(server.spec("execmodel=process"));
      const states = await gateway.call(async () => {
        const names = ["read", "write", "net", "run", "env", "sys", "ffi"] as const;
        return await Promise.all(names.map(async (name) => (await Deno.permissions.query({ name })).state));
      });
      assertEquals(states.filter((state) => state !== "prompt" && state !== "denied"), []);
    });
  });
});

test("fifty gateways start at once, each in a process of its own", async () => {
  await withServer([], async (server) => {
    await withGroup(async (open) => {
      const gateways = await Promise.all(
        Array.from({ length: 50 }, () => open(server.spec("execmodel=main"), { connectTimeout: 60_000 })),
      );
      const infos = await Promise.all(gateways.map((gateway) => gateway.remoteInfo()));
      assertEquals(new Set(infos.map(({ pid }) => pid)).size, 50);
      const answers = await Promise.all(gateways.map((gateway, i) => gateway.call((n: number) => n * 2, i)));
      assertEquals(answers, gateways.map((_, i) => i * 2));
    });
  });
}, 90_000);

test("--max-connections refuses one too many, and takes it when there is room again", async () => {
  await withServer(["--max-connections", "1"], async (server) => {
    await withGroup(async (open) => {
      const first = await open(server.spec());
      assertMatch((await refusal(open(server.spec()))).message, /connections are all in use/);
      await first.terminate();
      await server.log.has("ended gateway");
      const second = await open(server.spec());
      assertEquals(await second.call(() => 2), 2);
    });
  });
});

test("SIGTERM ends the server with code 0, and all its processes, busy ones too", async () => {
  await withServer(["--allow", "run"], async (server) => {
    await withGroup(async (open) => {
      const idle = await open(server.spec("execmodel=main"));
      const busy = await open(server.spec("execmodel=main//allow-run"));
      const channel = busy.remoteExec(`
        new Deno.Command("sh", { args: ["-c", "trap '' TERM; sleep 1000"] }).spawn();
        await channel.send("up");
        while (true) {}
      `);
      await channel.receive();
      const pids = server.children();
      assert(pids.length >= 4, `${pids}`);
      const started = performance.now();
      server.process.kill("SIGTERM");
      assertEquals((await server.process.status).code, 0);
      assert(performance.now() - started < 6_000);
      for (const pid of pids) await gone(pid);
      const { code, reason } = await idle.closed;
      assertEquals([code, reason], [0, "the server was ended"]);
      assertEquals((await busy.closed).reason, "the server was ended");
      await assertRejects(() => channel.receive(), GatewayClosedError);
    });
    assertMatch(server.log.text, /ending: SIGTERM/);
  });
});

test("SIGKILL of the server leaves none of its processes, and its clients know", async () => {
  await withServer([], async (server) => {
    await withGroup(async (open) => {
      const gateway = await open(server.spec("execmodel=main"));
      const channel = gateway.remoteExec(`await channel.send("up"); while (true) {}`);
      await channel.receive();
      const pids = server.children();
      server.process.kill("SIGKILL");
      for (const pid of pids) await gone(pid);
      const { reason, code } = await gateway.closed;
      assertEquals([reason, code], ["the connection to the server was lost", -1]);
      await assertRejects(() => channel.receive(), GatewayClosedError, "connection to the server was lost");
    });
  });
});

test("a connection that is cut ends a process that is busy and does not read", async () => {
  await behindCutter("keepalive=0", async ({ gateway, channel, cuttable }) => {
    const { pid } = await gateway.remoteInfo();
    const sending = channel.send(new Uint8Array(32 * 2 ** 20)).catch(() => {});
    await until("more is under way than the process takes", () => cuttable.up > 2 ** 20);
    cuttable.cut();
    await gone(pid);
    await sending;
    assertEquals((await gateway.closed).reason, "the connection to the server was lost");
  });
});

test("a client that is silent for three intervals of keepalive has its process ended", async () => {
  await behindCutter("keepalive=100", async ({ gateway, server, cuttable }) => {
    const [pid] = server.children();
    cuttable.freeze();
    await gone(pid!);
    await server.log.has("gave no sign of life for 300 ms");
    await gateway.closed;
  });
});

test("a server holds nothing of gateways that have ended", async () => {
  await withServer([], async (server) => {
    await withGroup(async (open) => {
      const descriptors = (): number => [...Deno.readDirSync(`/proc/${server.process.pid}/fd`)].length;
      const one = async (model: string): Promise<void> => {
        const gateway = await open(server.spec(`execmodel=${model}`));
        gateway.exit();
        await gateway.join();
      };
      await one("main");
      const before = descriptors();
      for (const model of ["main", "worker", "process", "main"]) await one(model);
      await until("they are given back", () => descriptors() <= before);
    });
  });
});

test("a short keepalive does not end a gateway that is being started", async () => {
  await withServer([], async (server) => {
    await withGroup(async (open) => {
      const gateway = await open(server.spec("keepalive=5"));
      await gateway.remoteInfo();
      gateway.exit();
    });
  });
});

test("a server whose log nobody reads serves, and ends when it is told to", async () => {
  const folder = await Deno.makeTempDir({ prefix: "socket-test-" });
  const process = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--allow-all", new URL("agent.ts", ROOT).pathname],
      ...["--listen", "0", "--token-file", `${folder}/token`],
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  try {
    const reader = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const port = Number(/:(\d+)\n/.exec((await reader.read()).value!)![1]);
    const word = new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n");
    for (let i = 0; i < 1_500; i++) {
      using connection = await Deno.connect({ hostname: "127.0.0.1", port });
      await connection.write(word).catch(() => {});
      while (await connection.read(new Uint8Array(64)).catch(() => null) !== null);
    }
    await withGroup(async (open) => {
      const gateway = await open(`socket=127.0.0.1:${port}//token_file=${folder}/token`);
      assertEquals(await gateway.call((x: number) => x + 1, 41), 42);
    });
    process.kill("SIGTERM");
    await limited("the end of the server", process.status, 15_000);
    await reader.cancel();
    await process.stderr.cancel();
  } finally {
    try {
      process.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await Deno.remove(folder, { recursive: true });
  }
});

/** What a test with a cable that can be pulled works with: `channel` is that of an endless loop. */
interface Cuttable {
  server: RunningServer;
  gateway: Gateway;
  channel: Channel;
  cuttable: Cutter;
}

/** Gives a gateway that is busy for ever, through a {@linkcode cutter}. */
async function behindCutter(keys: string, body: (setting: Cuttable) => Promise<void>): Promise<void> {
  await withServer([], async (server) => {
    await withGroup(async (open) => {
      const cuttable = cutter(server.port);
      try {
        const token = `token_file=${server.folder}/token`;
        const gateway = await open(`socket=127.0.0.1:${cuttable.port}//${token}//execmodel=main//${keys}`);
        const channel = gateway.remoteExec(`await channel.send("up"); while (true) {}`);
        await channel.receive();
        await body({ server, gateway, channel, cuttable });
      } finally {
        cuttable.cut();
        await cuttable.done;
      }
    });
  });
}

/** A cable that can be pulled, or go dead. */
interface Cutter {
  port: number;
  /** How many bytes have come for the server. */
  readonly up: number;
  cut(): void;
  freeze(): void;
  done: Promise<unknown>;
}

/** A relay in front of a server. */
function cutter(port: number): Cutter {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const open: Deno.Conn[] = [];
  let up = 0;
  let frozen = false;
  const pump = async (from: Deno.Conn, to: Deno.Conn, count: (bytes: number) => void): Promise<void> => {
    const buffer = new Uint8Array(64 * 1024);
    try {
      for (let n = await from.read(buffer); n !== null; n = await from.read(buffer)) {
        count(n);
        if (frozen) continue;
        for (let at = 0; at < n;) at += await to.write(buffer.subarray(at, n));
      }
    } catch {
      // It has been cut.
    }
    close(from);
    close(to);
  };
  const done = (async () => {
    const pumps: Promise<void>[] = [];
    try {
      for await (const client of listener) {
        const server = await Deno.connect({ hostname: "127.0.0.1", port });
        open.push(client, server);
        pumps.push(pump(client, server, (n) => up += n), pump(server, client, () => {}));
      }
    } catch {
      // It has been closed.
    }
    await Promise.all(pumps);
  })();
  return {
    port: listener.addr.port,
    get up() {
      return up;
    },
    cut(): void {
      close(listener);
      for (const one of open) close(one);
    },
    freeze(): void {
      frozen = true;
    },
    done,
  };
}

function close(one: { close(): void }): void {
  try {
    one.close();
  } catch {
    // It is closed.
  }
}

test("agent.js alone, in an empty folder, is a server", async () => {
  await withFolder(async (folder) => {
    await Deno.copyFile(new URL("agent.js", ROOT), `${folder}/agent.js`);
    await withServer([], async (server) => {
      await withGroup(async (open) => {
        for (const model of ["worker", "process"]) {
          const gateway = await open(server.spec(`execmodel=${model}`));
          assertEquals(await gateway.call(() => 7), 7);
        }
      });
    }, {
      run: ["--allow-all", "--no-remote", "--no-npm", "--no-config", "agent.js"],
      cwd: folder,
      env: { DENO_DIR: `${folder}/cache` },
    });
  });
});

for (
  const [file, flags] of [["agent.ts", ["--config", "deno.json"]], ["agent.js", ["--no-config"]]] as const
) {
  test(`${file} is a server when it is run by URL`, async () => {
    await withFolder(async (folder) => {
      const site = Deno.serve(
        { hostname: "127.0.0.1", port: 0, onListen: () => {} },
        async ({ url }): Promise<Response> => {
          const text = await Deno.readTextFile(new URL(`.${new URL(url).pathname}`, ROOT)).catch(() =>
            undefined
          );
          if (text === undefined) return new Response("", { status: 404 });
          const type = url.endsWith(".ts") ? "application/typescript" : "text/javascript";
          return new Response(text, { headers: { "content-type": type } });
        },
      );
      try {
        const config = flags.map((one) => one === "deno.json" ? new URL(one, ROOT).pathname : one);
        await withServer([], async (server) => {
          await withGroup(async (open) => {
            assertEquals(await (await open(server.spec())).call(() => 8), 8);
          });
        }, {
          run: ["--allow-all", "--no-lock", ...config, `http://127.0.0.1:${site.addr.port}/${file}`],
          cwd: folder,
        });
      } finally {
        await site.shutdown();
      }
    });
  });
}
