/** The process that plays the far sides of a test's gateways, and the specs that lead to it. */

import { assertEquals } from "jsr:@std/assert@^1.0.19";
import { limited, TextTap } from "../helpers/wait.ts";

const PROGRAM = new URL("far_side.ts", import.meta.url).pathname;
const WRAPPER = new URL("wrapper.sh", import.meta.url).pathname;
const TOKEN = "a-token-of-some-length";
const START_LIMIT_MS = 15_000;

/** How a far side is reached: as a local process, by a Unix socket, or as a server's, by TCP. */
export type WayName = "unix" | "server";

/** A process that plays far sides. */
export class FarSideProcess implements AsyncDisposable {
  readonly #folder: string;
  readonly #process: Deno.ChildProcess;
  readonly #out: TextTap;
  readonly #complaints: TextTap;

  private constructor(folder: string, process: Deno.ChildProcess) {
    this.#folder = folder;
    this.#process = process;
    this.#out = new TextTap(process.stdout);
    this.#complaints = new TextTap(process.stderr);
  }

  /** Starts it. */
  static async start(): Promise<FarSideProcess> {
    const folder = await Deno.realPath(await Deno.makeTempDir({ prefix: "hostile-" }));
    await Deno.writeTextFile(`${folder}/token`, TOKEN, { mode: 0o600 });
    await new Deno.Command("mkfifo", { args: [`${folder}/calls`] }).output();
    const process = new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--no-check", "--allow-all", PROGRAM, folder],
      env: { NO_COLOR: "1" },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const one = new FarSideProcess(folder, process);
    await one.#out.has("\n", START_LIMIT_MS);
    return one;
  }

  /** The spec of a gateway whose far side plays a script. */
  spec(way: WayName, script: string, keys = ""): string {
    const id = `${way}_${script}`;
    const where = way === "unix"
      ? `popen//deno=sh ${WRAPPER} ${this.#folder} ${id}`
      : `socket=127.0.0.1:${Number(this.#out.text)}//token_file=${this.#folder}/token`;
    return [where, `id=${id}`, keys === "" ? "keepalive=0" : keys].join("//");
  }

  /** Ends it; fails when it has anything to complain about. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.stdin.close();
    await limited("the end of the far side", this.#process.status);
    await Promise.all([this.#out.ended, this.#complaints.ended]);
    await Deno.remove(this.#folder, { recursive: true });
    assertEquals(this.#complaints.text, "");
  }
}
