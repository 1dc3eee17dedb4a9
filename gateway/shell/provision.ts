/** Brings this machine's Deno to a place that has none, once. */

import { FIND_AND_RUN, quoteWord } from "../../xspec/mod.ts";
import { ConnectProblem } from "../errors.ts";
import type { Diagnosis } from "../launcher.ts";
import { Output } from "../output.ts";
import { linkTransport } from "../process/link.ts";
import { makeNonce } from "../process/process.ts";
import type { Reach } from "./reach.ts";

/** This machine's Deno. */
interface Executable {
  readonly path: string;
  readonly bytes: number;
  /** SHA-256, in hexadecimal digits. */
  readonly digest: string;
}

/** An upload that is under way. */
interface Upload {
  readonly result: Promise<Diagnosis | "again">;
  /** Of whom it was begun for. */
  readonly signal: AbortSignal;
}

/** What has been brought where by the gateways of one group. */
export class Provisions {
  /** Uploads that are under way, by the place; there is one at most for each. */
  readonly #uploads = new Map<string, Upload>();
  #own: Promise<Executable> | undefined;

  /** This machine's Deno. */
  own(): Promise<Executable> {
    return this.#own ??= ownExecutable();
  }

  /**
   * Brings it to a place, unless that is under way. One that failed is not repeated for those who waited for it; one that
   * was given up with its `signal` is taken up by one of them.
   */
  async upload(
    place: string,
    signal: AbortSignal,
    bring: () => Promise<Diagnosis | "again">,
  ): Promise<Diagnosis | "again"> {
    while (true) {
      const known = this.#uploads.get(place);
      if (known === undefined) break;
      try {
        return await known.result;
      } catch (error) {
        if (!known.signal.aborted) throw error;
        signal.throwIfAborted();
      }
    }
    const result = bring();
    this.#uploads.set(place, { result, signal });
    try {
      return await result;
    } finally {
      this.#uploads.delete(place);
    }
  }
}

/** Exit codes of the script that takes it. */
const Code = { PLATFORM: 65, FOLDER: 73, WRITE: 74, SIZE: 75, DIGEST: 76, RUN: 77 } as const;

/** Pieces that are read from the file at once. */
const PIECE_BYTES = 1024 * 1024;

/** The Deno of one gateway's place. */
export class Provision {
  readonly #reach: Reach;
  readonly #provisions: Provisions;
  #executable: Executable | undefined;
  #brought = false;

  constructor(reach: Reach, provisions: Provisions) {
    this.#reach = reach;
    this.#provisions = provisions;
  }

  /** Finds out what there is to bring. */
  async prepare(): Promise<void> {
    this.#executable = await this.#provisions.own();
  }

  /** Where it is over there, as a word of shell. */
  get word(): string {
    return `"\${XDG_CACHE_HOME:-$HOME/.cache}"/execnet/deno-${this.#executable!.digest}`;
  }

  /** Brings it. `again` when it is there. */
  async bring(signal: AbortSignal): Promise<Diagnosis | "again"> {
    if (this.#brought) return { kind: "no-deno", state: "the Deno that was brought there has gone" };
    this.#brought = true;
    return await this.#provisions.upload(this.#reach.place, signal, () => this.#upload(signal));
  }

  async #upload(signal: AbortSignal): Promise<Diagnosis | "again"> {
    const { path, bytes } = this.#executable!;
    const program = await this.#reach.open(signal);
    const stop = (): void => program.kill();
    signal.addEventListener("abort", stop, { once: true });
    const output = new Output("null", "", program.output!);
    try {
      const transport = linkTransport(program.link);
      // What does not take it any more says why by its exit.
      await this.#send(path, transport.write).catch(() => {});
      program.endInput();
      const { code, reason } = await program.ended;
      await output.ended;
      signal.throwIfAborted();
      if (code === 0) return "again";
      const why = reason ?? this.#explain(code, bytes);
      return {
        kind: "no-deno",
        state: `there is no Deno, and none can be brought there: ${why}`,
        words: output.tail,
      };
    } finally {
      signal.removeEventListener("abort", stop);
      program.kill();
      program.link.close();
    }
  }

  async #send(path: string, write: (bytes: Uint8Array, whole: boolean) => Promise<void>): Promise<void> {
    await write(new TextEncoder().encode(`${this.#script()}\n`), false);
    using file = await Deno.open(path);
    const piece = new Uint8Array(PIECE_BYTES);
    while (true) {
      const count = await file.read(piece);
      if (count === null) return;
      await write(piece.subarray(0, count), false);
    }
  }

  /** Takes what follows on stdin, and puts it in its place when it is whole and runs. */
  #script(): string {
    const { bytes, digest } = this.#executable!;
    return [
      `f=${this.word}`,
      `[ -x "$f" ]&&exit 0`,
      `[ "$(uname -sm)" = ${quoteWord(platform())} ]||{ uname -sm >&2;exit ${Code.PLATFORM};}`,
      `umask 077`,
      `mkdir -p "\${f%/*}"||exit ${Code.FOLDER}`,
      // What was killed in the middle could not tidy up.
      `find "\${f%/*}" -name 'deno-*.*' -mmin +60 -exec rm -f {} + 2>/dev/null`,
      // Several hosts may share the folder, so that a process id would not do.
      `t="$f.${makeNonce()}"`,
      `trap 'rm -f "$t"' EXIT`,
      `trap 'exit 1' HUP INT TERM`,
      `cat >"$t"||exit ${Code.WRITE}`,
      `[ "$(wc -c <"$t")" -eq ${bytes} ]||exit ${Code.SIZE}`,
      `if command -v sha256sum >/dev/null 2>&1;then case "$(sha256sum <"$t")" in ${digest}*);;*)exit ${Code.DIGEST};;esac;fi`,
      `chmod 700 "$t"`,
      `"$t" --version >/dev/null||exit ${Code.RUN}`,
      `mv -f "$t" "$f"||exit ${Code.WRITE}`,
    ].join(";");
  }

  #explain(code: number, bytes: number): string {
    switch (code) {
      case Code.PLATFORM:
        return `this machine's is for ${platform()}`;
      case Code.FOLDER:
        return "no folder can be made for it";
      case Code.WRITE:
        return `its ${Math.ceil(bytes / 2 ** 20)} MiB cannot be written`;
      case Code.SIZE:
      case Code.DIGEST:
        return "it did not arrive whole";
      case Code.RUN:
        return "this machine's does not run there";
      default:
        return `the upload ended with code ${code}`;
    }
  }
}

/** What `uname -sm` says of this machine. */
export function platform(): string {
  const { os, arch } = Deno.build;
  if (os === "darwin") return `Darwin ${arch === "aarch64" ? "arm64" : arch}`;
  return `${os === "linux" ? "Linux" : os} ${arch}`;
}

/** Looks at this machine's Deno. It is read in pieces, for it has more than a hundred MiB. */
async function ownExecutable(): Promise<Executable> {
  const { createHash } = await import("node:crypto");
  const path = Deno.build.standalone ? await installedDeno() : Deno.execPath();
  using file = await Deno.open(path);
  const hash = createHash("sha256");
  const piece = new Uint8Array(PIECE_BYTES);
  let bytes = 0;
  while (true) {
    const count = await file.read(piece);
    if (count === null) return { path, bytes, digest: hash.digest("hex") };
    hash.update(piece.subarray(0, count));
    bytes += count;
  }
}

/** The executable of the Deno that a compiled program finds. What is found may be a script that starts it, so it is asked. */
async function installedDeno(): Promise<string> {
  const args = ["-c", FIND_AND_RUN, "sh", "deno", "eval", "--no-config", "console.log(Deno.execPath())"];
  const { success, stdout } = await new Deno.Command("/bin/sh", { args, stderr: "null" }).output();
  const path = new TextDecoder().decode(stdout).trim();
  if (success && path !== "") return path;
  throw new ConnectProblem("no-deno", "there is no Deno on this machine that could be brought there");
}
