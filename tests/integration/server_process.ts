/** Servers of a test's own: real processes, with the options that the test is about. */

import { descendants, gone } from "../helpers/leaks.ts";
import { limited, TextTap, until } from "../helpers/wait.ts";

const ROOT = new URL("../../", import.meta.url);
const START_LIMIT_MS = 15_000;
const END_LIMIT_MS = 10_000;

/** A server that runs. */
export interface RunningServer {
  readonly process: Deno.ChildProcess;
  readonly log: TextTap;
  readonly out: TextTap;
  readonly port: number;
  /** Holds its token, and is where it runs if nothing else is said. */
  readonly folder: string;
  /** A spec that leads there, with the token. */
  spec(keys?: string): string;
  /** The processes that it has started. */
  children(): number[];
}

/** How a server is started. */
export interface ServerSetup {
  /** What is run; by default the sources. */
  readonly run?: readonly string[];
  readonly cwd?: string;
  readonly listen?: string;
  readonly env?: Record<string, string>;
  /** Written to its stdin, which stays open. */
  readonly stdin?: string;
  /** Whether it is told its token file. */
  readonly tokenFile?: boolean;
}

/** Starts a server and does something with it; then ends it, and fails when anything of it is left. */
export async function withServer(
  options: readonly string[],
  body: (server: RunningServer) => Promise<void>,
  setup: ServerSetup = {},
): Promise<void> {
  const folder = await Deno.realPath(await Deno.makeTempDir({ prefix: "socket-test-" }));
  const { run = ["--allow-all", new URL("agent.ts", ROOT).pathname], listen = "0", tokenFile = true } = setup;
  const process = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", ...run, "--listen", listen],
      ...(tokenFile ? ["--token-file", `${folder}/token`] : []),
      ...options,
    ],
    cwd: setup.cwd ?? folder,
    env: { NO_COLOR: "1", ...setup.env },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const out = new TextTap(process.stdout);
  const log = new TextTap(process.stderr);
  const stdin = process.stdin.getWriter();
  try {
    if (setup.stdin !== undefined) await stdin.write(new TextEncoder().encode(setup.stdin));
    await out.has("listening on", START_LIMIT_MS).catch((error) => {
      throw new Error(`The server does not listen: ${log.text}`, { cause: error });
    });
    const port = Number(/:(\d+)(?: with TLS)?\n/.exec(out.text)![1]);
    const host = /\[.*\]/.exec(out.text)?.[0] ?? "127.0.0.1";
    const children = (): number[] => descendants(process.pid).map((one) => one.pid);
    await body({
      process,
      log,
      out,
      port,
      folder,
      spec: (keys) =>
        [`socket=${host}:${port}`, `token_file=${folder}/token`, ...keys === undefined ? [] : [keys]].join(
          "//",
        ),
      children,
    });
    await until("no process of a gateway is left", () => children().length === 0);
  } finally {
    const children = descendants(process.pid);
    try {
      process.kill("SIGTERM");
    } catch {
      // It has ended.
    }
    await stdin.close().catch(() => {});
    await limited("the end of the server", process.status, END_LIMIT_MS).finally(() => {
      try {
        process.kill("SIGKILL");
      } catch {
        // It has ended.
      }
    });
    await Promise.all([out.ended, log.ended]);
    for (const { pid } of children) await gone(pid);
    await Deno.remove(folder, { recursive: true });
  }
}

/** Runs a server that ends by itself. */
export async function runServer(
  args: readonly string[],
): Promise<{ code: number; out: string; err: string }> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--allow-all", new URL("agent.ts", ROOT).pathname, ...args],
    env: { NO_COLOR: "1" },
    stdin: "null",
  });
  const { code, stdout, stderr } = await limited("the end of the server", command.output(), END_LIMIT_MS);
  const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), err: text(stderr) };
}
