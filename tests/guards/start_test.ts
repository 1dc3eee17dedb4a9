/** What a gateway does until its first item is here: what is sent and waited for, what is loaded and compiled. */

import { assertEquals } from "jsr:@std/assert@^1.0.19";
import { agentScript } from "../../gateway/_agent_bundle.ts";
import { makeGateway } from "../../mod.ts";
import { test } from "../helpers/bounded.ts";
import { atMost } from "./bounds.ts";
import { loggingInto, readLogs } from "./engine_log.ts";
import type { Isolate } from "./engine_log.ts";

/** Bytes that one side has sent without the other saying anything in between. */
interface Flight {
  readonly from: "near" | "far";
  bytes: number;
}

/** One start. */
interface Start {
  /** What passed each connection until the first item was here. */
  readonly connections: readonly (readonly Flight[])[];
  readonly isolates: readonly Isolate[];
}

/** Takes note of what passes a connection. */
function record(connection: Deno.UnixConn, flights: Flight[]): Deno.UnixConn {
  const note = (from: Flight["from"], bytes: number): void => {
    const last = flights.at(-1);
    if (last?.from === from) last.bytes += bytes;
    else flights.push({ from, bytes });
  };
  const read = connection.read.bind(connection);
  const write = connection.write.bind(connection);
  return Object.assign(connection, {
    read: async (into: Uint8Array) => {
      const count = await read(into);
      if (count !== null) note("far", count);
      return count;
    },
    write: async (bytes: Uint8Array) => {
      const count = await write(bytes);
      note("near", count);
      return count;
    },
  });
}

/** Takes note of what passes the connections to Unix sockets that are listened on in this isolate while `body` runs. */
async function recording(body: (connections: Flight[][]) => Promise<void>): Promise<void> {
  const connections: Flight[][] = [];
  const { listen } = Deno;
  const recorded = (options: Deno.UnixListenOptions & { transport: "unix" }): Deno.UnixListener => {
    const listener = listen(options);
    const accept = listener.accept.bind(listener);
    return Object.assign(listener, {
      accept: async () => {
        const flights: Flight[] = [];
        const connection = record(await accept(), flights);
        connections.push(flights);
        return connection;
      },
    });
  };
  Object.assign(Deno, { listen: recorded });
  try {
    await body(connections);
  } finally {
    Object.assign(Deno, { listen });
  }
}

/** What is called when the first item is known to be here. */
const MARK = "theFirstItemIsThere";

const SOURCE = `function ${MARK}() {} await channel.send(1); await channel.receive(); ${MARK}()`;

async function start(spec: string): Promise<Start> {
  const folder = await Deno.makeTempDir({ prefix: "execnet-test-" });
  try {
    let before: Flight[][] = [];
    await recording(async (connections) => {
      await using gateway = await makeGateway(`${spec}//env:${loggingInto(folder)}`);
      const channel = gateway.remoteExec(SOURCE);
      await channel.receive();
      before = connections.map((flights) => flights.map((flight) => ({ ...flight })));
      await channel.send(2);
      await channel.waitClose();
    });
    return { connections: before, isolates: readLogs(folder, MARK) };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const PROOF_BYTES = 16;
/** What a link says besides: which one it is. */
const NUMBER_BYTES = 6;
const FRAME_BYTES = 12;
const ITEM_BYTES = FRAME_BYTES + 1;
/** What each side says of itself; the paths in it are the machine's. */
const GREETING_BYTES = 400;
/** The frames of an execution with its code, beside the code. */
const EXEC_BYTES = 51;

/** Checks what was sent on the connection that a process opens: two flights from here, and none that waits for more. */
function checkConnection(flights: readonly Flight[]): void {
  const [proof, agent, greeting, exec] = flights;
  // What comes behind is the first item, or was not waited for.
  assertEquals(flights.slice(0, 4).map(({ from }) => from), ["far", "near", "far", "near"]);
  assertEquals(proof!.bytes, PROOF_BYTES);
  atMost("bytes with the agent", agent!.bytes - agentScript().length, GREETING_BYTES, 1);
  atMost("bytes of the greeting", greeting!.bytes, GREETING_BYTES, 1);
  assertEquals(exec!.bytes, EXEC_BYTES + SOURCE.length);
}

/** Functions that an isolate compiles are the engine's, too, and it knows those of its own by heart. */
const SLACK = 1.1;

// The first `setTimeout` of a process loads 22 scripts of Node's, which takes 6 ms; `process` or `node:net` more than 90.
test("a gateway of execmodel=main sends two flights until its first item, and loads no script of Deno's", async () => {
  const { connections, isolates } = await start("popen//execmodel=main");
  assertEquals(connections.length, 1);
  checkConnection(connections[0]!);
  assertEquals(connections[0]!.slice(4), [{ from: "far", bytes: ITEM_BYTES }]);
  const [isolate] = isolates;
  assertEquals([isolates.length, isolate!.marked], [1, true]);
  assertEquals(isolate!.loaded, []);
  atMost("functions compiled until the first item", isolate!.compiled, 285, SLACK);
});

/** What Deno itself loads where there are Workers and their messages. */
const FOR_WORKERS = ["ext:deno_web/06_streams.js", "ext:deno_web/02_structured_clone.js"];

test("a gateway of the default model sends two flights until its first item, which comes by a link of its own", async () => {
  const { connections, isolates } = await start("popen");
  assertEquals(connections.length, 2);
  const [connection, link] = connections;
  checkConnection(connection!);
  assertEquals(link, [{ from: "far", bytes: FRAME_BYTES + PROOF_BYTES + NUMBER_BYTES + ITEM_BYTES }]);
  const router = isolates.filter(({ marked }) => !marked);
  const execution = isolates.filter(({ marked }) => marked);
  assertEquals([router.length, execution.length], [1, 1]);
  assertEquals([...router, ...execution].map(({ loaded }) => loaded), [FOR_WORKERS, FOR_WORKERS]);
  // All its life long, its end included.
  atMost("functions compiled by the router", router[0]!.compiled, 321, SLACK);
  // With a rehearsal, which comes first where the execution does not.
  atMost("functions compiled until the first item", execution[0]!.compiled, 437, SLACK);
});
