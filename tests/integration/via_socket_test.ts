/** Servers that are connected to from where another gateway runs. */

import { assertEquals, assertMatch, assertRejects } from "jsr:@std/assert@^1.0.19";
import { ConnectError, type Gateway, GatewayClosedError, Group, XSpecError } from "../../mod.ts";
import { test } from "../helpers/bounded.ts";
import { LeakCheck } from "../helpers/leaks.ts";
import { limited } from "../helpers/wait.ts";
import { QUIET } from "./elsewhere.ts";
import { withServer } from "./server_process.ts";
import { withTlsServer } from "./tls_server.ts";

const MODELS = ["worker", "main", "process"] as const;
const BYTES = 8 * 1024 * 1024;

/** Does something with a group that has a hop; nothing is left after it. */
async function withHop(body: (group: Group) => Promise<void>, keys = "allow-run=sh"): Promise<void> {
  const leaks = new LeakCheck();
  {
    await using group = await Group.create([`popen//id=hop//${keys}`], QUIET);
    await body(group);
  }
  await leaks.done();
}

/** Bytes arrive whole, both ways, and calls are answered. */
async function works(gateway: Gateway): Promise<void> {
  assertEquals(await gateway.call((x: number) => x + 1, 41), 42);
  const item = new Uint8Array(BYTES).map((_, i) => i % 251);
  const channel = gateway.remoteExec("channel.send(await channel.receive())");
  await channel.send(item);
  assertEquals(await channel.receive(), item);
}

async function failure(group: Group, spec: string): Promise<ConnectError> {
  return await assertRejects(() => group.makeGateway(spec, QUIET), ConnectError) as ConnectError;
}

for (const of of MODELS) {
  test(`a server is reached from a ${of} gateway, in all models`, async () => {
    await withServer([], async (server) => {
      await withHop(async (group) => {
        const gateways = await Promise.all(
          MODELS.map((model) => group.makeGateway(server.spec(`via=hop//execmodel=${model}`), QUIET)),
        );
        await Promise.all(gateways.map(works));
        await group.get("hop")!.terminate();
        // What hangs on it has ended by itself, before it.
        for (const gateway of gateways) assertEquals((await gateway.closed).reason, "requested");
      }, `allow-run=sh//execmodel=${of}`);
    });
  });
}

test("a hop speaks TLS with a server, and trusts what the spec trusts", async () => {
  await withTlsServer(async (server, keys) => {
    await withHop(async (group) => {
      await works(await group.makeGateway(server.spec(`${keys}//via=hop`), QUIET));
      const unknown = await failure(group, server.spec("tls//via=hop"));
      assertEquals(unknown.kind, "auth");
      assertMatch(unknown.message, /not trusted/);
      const plain = await failure(group, server.spec("via=hop"));
      assertEquals(plain.kind, "noise");
      assertMatch(plain.message, /needs the key tls/);
      assertEquals(group.size, 2);
    });
  });
});

test("a server listens on IPv6 where a hop is", async () => {
  await withServer([], async (server) => {
    await withHop(async (group) => {
      const spec = `socket=[::1]:${server.port}//token_file=${server.folder}/token//via=hop`;
      await works(await group.makeGateway(spec, QUIET));
    });
  }, { listen: "[::1]:0" });
});

test("the failures of a connection from a hop have their kinds", async () => {
  await withServer([], async (server) => {
    await withHop(async (group) => {
      const nobody = await failure(group, `socket=127.0.0.1:1//token_file=${server.folder}/token//via=hop`);
      assertEquals(nobody.kind, "refused");
      assertMatch(nobody.message, /nothing listens there/);
      const nowhere = `socket=nowhere.invalid:1//token_file=${server.folder}/token//via=hop`;
      assertEquals((await failure(group, nowhere)).kind, "host");
      const token = `${server.folder}/other-token`;
      await Deno.writeTextFile(token, "a".repeat(64), { mode: 0o600 });
      const wrong = await failure(group, `socket=127.0.0.1:${server.port}//token_file=${token}//via=hop`);
      assertEquals(wrong.kind, "auth", wrong.message);
      assertEquals(group.size, 1);
    });
  });
});

test("a hop without the permission to connect a server names the key", async () => {
  await withHop(async (group) => {
    const token = await Deno.makeTempFile();
    try {
      await Deno.writeTextFile(token, "a".repeat(64));
      await Deno.chmod(token, 0o600);
      const error = await failure(group, `socket=127.0.0.1:1//token_file=${token}//via=hop`);
      assertMatch(error.message, /add allow-run to the spec of gateway "hop"/);
    } finally {
      await Deno.remove(token);
    }
  }, "allow-run=true");
});

test("the death of a hop is the reason for the end of what is connected through it", async () => {
  await withServer([], async (server) => {
    await withHop(async (group) => {
      const gateway = await group.makeGateway(server.spec("via=hop"), QUIET);
      const channel = gateway.remoteExec("await channel.receive()");
      const { pid } = await group.get("hop")!.remoteInfo();
      Deno.kill(pid, "SIGKILL");
      const { reason } = await limited("its end", gateway.closed);
      assertMatch(reason, /"hop"|SIGKILL/);
      await assertRejects(() => channel.receive(), GatewayClosedError);
    });
  });
});

test("a hop that leaves in the same turn takes a connection that was to be made from it along", async () => {
  await withServer([], async (server) => {
    await withHop(async (group) => {
      const made = group.makeGateway(server.spec("via=hop"), QUIET);
      const failed = assertRejects(() => made, ConnectError, 'ateway "hop"');
      group.get("hop")!.exit();
      await limited("the end of the start", failed);
    });
  });
});

test("a start through a hop that is aborted at any moment leaves nothing", async () => {
  await withServer([], async (server) => {
    await withHop(async (group) => {
      for (const ms of [0, 1, 10, 30, 60, 90]) {
        const abort = new AbortController();
        const made = group.makeGateway(server.spec("via=hop"), { ...QUIET, signal: abort.signal });
        made.catch(() => {});
        await new Promise((resolve) => setTimeout(resolve, ms));
        abort.abort();
        await made.then((gateway) => gateway[Symbol.asyncDispose](), () => {});
      }
      await works(await group.makeGateway(server.spec("via=hop"), QUIET));
    });
  });
});

test("a server that is installed by one gateway is not reached from another one", async () => {
  await using group = await Group.create(["popen//id=hop//allow-run"], QUIET);
  const error = await assertRejects(
    () => group.makeGateway("socket//installvia=hop//via=hop"),
    XSpecError,
  ) as XSpecError;
  assertEquals(error.key, "via");
});
