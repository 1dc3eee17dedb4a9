/** Bounds the descriptors of processes, from a process of its own: one that has none left can start no other. */

import { limited } from "../helpers/wait.ts";

const ANSWER_MS = 10_000;

/** A shell that calls `prlimit` for what it reads. */
export class Limiter {
  readonly #child: Deno.ChildProcess;
  readonly #requests: WritableStreamDefaultWriter<Uint8Array>;
  readonly #answers: ReadableStreamDefaultReader<Uint8Array>;
  readonly #bounded: [pid: number, before: number][] = [];

  /** Starts it. */
  constructor() {
    this.#child = new Deno.Command("sh", {
      args: ["-c", 'while read -r pid most; do prlimit --pid "$pid" --nofile="$most"; echo done; done'],
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    this.#requests = this.#child.stdin.getWriter();
    this.#answers = this.#child.stdout.getReader();
  }

  /** From now on a process gets no further descriptor. One that is yet to become Deno must not raise its limit either. */
  async exhaust(pid: number, hard = false): Promise<void> {
    const folder = `/proc/${pid}/fd`;
    // One of them may be that of this very look.
    const used = new Set([...Deno.readDirSync(folder)].map(({ name }) => Number(name)).filter(isOpen));
    function isOpen(number: number): boolean {
      try {
        return Deno.readLinkSync(`${folder}/${number}`) !== "";
      } catch {
        return false;
      }
    }
    let free = 0;
    while (used.has(free)) free++;
    if (hard) return await this.#bound(pid, `${free}:${free}`);
    const before = Number(/Max open files\s+(\d+)/.exec(Deno.readTextFileSync(`/proc/${pid}/limits`))![1]);
    this.#bounded.push([pid, before]);
    await this.#bound(pid, `${free}:`);
  }

  /** All have again what they had. */
  async lift(): Promise<void> {
    for (const [pid, before] of this.#bounded.splice(0)) await this.#bound(pid, `${before}:`);
  }

  async #bound(pid: number, most: string): Promise<void> {
    await this.#requests.write(new TextEncoder().encode(`${pid} ${most}\n`));
    await limited("the bound", this.#answers.read(), ANSWER_MS);
  }

  /** Ends it. */
  async end(): Promise<void> {
    await this.lift();
    await this.#requests.close();
    await this.#answers.cancel();
    await this.#child.status;
  }
}
