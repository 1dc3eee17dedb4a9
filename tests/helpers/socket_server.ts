/** A real server for the tests of a file, in a process that is no child of the test program and holds nothing of it. */

import { processState, watchFamily } from "./leaks.ts";
import { until } from "./wait.ts";

const ROOT = new URL("../../", import.meta.url);
const START_LIMIT_MS = 15_000;

/** A server that runs. */
export interface TestServer {
  readonly pid: number;
  readonly port: number;
  readonly tokenFile: string;
  /** Holds its token and its log. */
  readonly folder: string;
  /** Ends it; fails when it does not end. */
  stop(): Promise<void>;
}

/**
 * Starts a server with what `options` adds to its command line. It is killed when this program has gone.
 *
 * It is started by a shell that ends at once, so that it is no resource of the test in which that happens.
 */
export async function startDetached(options: readonly string[]): Promise<TestServer> {
  const folder = await Deno.makeTempDir({ prefix: "socket-server-" });
  const tokenFile = `${folder}/token`;
  const words = [
    Deno.execPath(),
    "run",
    "--quiet",
    "--allow-all",
    new URL("agent.ts", ROOT).pathname,
    "--listen",
    "127.0.0.1:0",
    "--token-file",
    tokenFile,
    ...options,
  ];
  const script = `"$@" >${folder}/out 2>${folder}/log </dev/null & echo $! >${folder}/pid
    while [ -e /proc/${Deno.pid}/exe ] && [ -e /proc/$!/exe ]; do sleep 1; done
    kill -9 $!`;
  const { success } = new Deno.Command("sh", {
    args: ["-c", 'setsid sh -c "$0" sh "$@" >/dev/null 2>&1 </dev/null &', script, ...words],
    cwd: ROOT,
    env: { NO_COLOR: "1", EXECNET_TEST_RUN: "server" },
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).outputSync();
  if (!success) throw new Error("The server cannot be started");
  const read = (name: string): Promise<string> => Deno.readTextFile(`${folder}/${name}`).catch(() => "");
  const port = await until("the server listens", async () => {
    return Number(/listening on .*:(\d+)/.exec(await read("out"))?.[1] ?? 0);
  }, START_LIMIT_MS).catch(async (error) => {
    throw new Error(`The server does not listen: ${await read("log")}`, { cause: error });
  });
  const pid = Number(await read("pid"));
  watchFamily(pid);
  const stop = async (): Promise<void> => {
    if (processState(pid) !== undefined) Deno.kill(pid, "SIGTERM");
    await until("the server has ended", () => processState(pid) === undefined, START_LIMIT_MS);
    await Deno.remove(folder, { recursive: true });
  };
  return { pid, port, tokenFile, folder, stop };
}

/** The server that the tests of a file share: started when the first of them asks for it. */
export class SharedServer {
  #running: Promise<TestServer> | undefined;

  /** The server. */
  get(): Promise<TestServer> {
    return this.#running ??= startDetached(["--allow", "all"]);
  }

  /** Ends it, if it was started. */
  async stop(): Promise<void> {
    await (await this.#running)?.stop();
    this.#running = undefined;
  }
}
