/** What strace writes down, and what can be counted in it. */

import { BEGIN, END } from "./programs/pings.ts";

/** The calls that carry bytes, wait for them or wake another thread, and the one that marks. */
const TRACED = [
  "sendto,sendmsg,recvfrom,recvmsg,read,write,readv,writev",
  "epoll_wait,epoll_pwait,poll,ppoll,readlink,readlinkat",
].join();

/** A command that runs `argv` and writes its system calls, and those of all that it starts, into a file. */
export function traced(argv: readonly string[], file: string): string[] {
  return ["strace", "-f", "--seccomp-bpf", "-qq", "-s", "16", "-o", file, "-e", `trace=${TRACED}`, ...argv];
}

/** Numbers by the names of system calls. */
export type CallCounts = Readonly<Record<string, number>>;

/** The calls between the marks of the program, for each pair of marks: by the id of the thread. */
export function callsBetweenMarks(text: string): Map<number, Record<string, number>>[] {
  const found: Map<number, Record<string, number>>[] = [];
  let current: Map<number, Record<string, number>> | undefined;
  for (const line of text.split("\n")) {
    if (line.includes(`"${BEGIN}"`)) found.push(current = new Map());
    else if (line.includes(`"${END}"`)) current = undefined;
    // What is resumed has been counted when it began.
    const [, thread, name] = /^(\d+) +(\w+)\(/.exec(line) ?? [];
    if (current === undefined || name === undefined || name.startsWith("readlink")) continue;
    let calls = current.get(Number(thread));
    if (calls === undefined) current.set(Number(thread), calls = {});
    calls[name] = (calls[name] ?? 0) + 1;
  }
  return found;
}

/** The calls of some threads together. */
export function sum(calls: ReadonlyMap<number, CallCounts>, threads: readonly number[]): CallCounts {
  const all: Record<string, number> = {};
  for (const thread of threads) {
    for (const [name, count] of Object.entries(calls.get(thread) ?? {})) all[name] = (all[name] ?? 0) + count;
  }
  return all;
}
