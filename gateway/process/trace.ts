/** Where a process traces to, and how: a file of its own, or stderr. Nothing that fails here breaks anything else. */

import type { TracePrint } from "../../channel/trace.ts";
import type { Permissions } from "../../xspec/mod.ts";
import { PID_MARK } from "./guard.ts";
import { mayAlready } from "./link.ts";
import type { StageTrace } from "./link.ts";

/** Where traces go. */
export type TraceTarget =
  | { readonly to: "file"; /** The absolute path of a folder. */ readonly folder: string }
  | { readonly to: "stderr" };

/** The names of trace files begin with this; the process's id follows. */
const FILE_NAME = "execnet-debug-";

/** The path of a process's trace file. */
export function tracePath(folder: string, pid: number | string): string {
  return `${folder === "/" ? "" : folder}/${FILE_NAME}${pid}`;
}

/** What a process needs in order to make its trace file, and what it does with that before any other code runs. */
export interface TraceGrant {
  permissions: Permissions;
  stage: StageTrace;
}

/**
 * Adds to permissions what it takes to make the trace file, whose path holds {@linkcode PID_MARK}. What is allowed
 * anyway is neither added nor revoked.
 *
 * @returns undefined where no file is wanted, or none is possible: where the spec denies writing, and where the path has
 * a comma in it, which no list of Deno's can hold. The process then traces to stderr.
 */
export function traceGrant(
  target: TraceTarget | undefined,
  permissions: Permissions,
  cwd: string,
): TraceGrant | undefined {
  if (target?.to !== "file" || permissions.deny.write !== undefined || target.folder.includes(",")) {
    return undefined;
  }
  const path = tracePath(target.folder, PID_MARK);
  const base = tracePath(target.folder, "");
  const { write } = permissions.allow;
  if (permissions.all || mayAlready(write, path, cwd)) return { permissions, stage: { base, revoke: false } };
  const allow = { ...permissions.allow, write: [...(write === true ? [] : write ?? []), path] };
  return { permissions: { ...permissions, allow }, stage: { base, revoke: true } };
}

/** What can be written to at once: stderr, or a file. */
export interface SyncWriter {
  /** Writes some of `bytes` and says how many. */
  writeSync(bytes: Uint8Array): number;
}

/**
 * Prints to `writer`, with this process's id before each line.
 *
 * - Everything is written when it returns, so that the last lines before a crash are there.
 * - A full disk or a closed stderr is nobody's affair: the lines are lost.
 * - The method is taken at once: remote code that later puts another in its place cannot get hold of the file by that.
 */
export function printTo(writer: SyncWriter): TracePrint {
  const write = writer.writeSync.bind(writer);
  return printWith((bytes) => {
    for (let rest = bytes; rest.length > 0;) rest = rest.subarray(write(rest));
  });
}

/** Prints by `writeAll`, which may throw. */
export function printWith(writeAll: (bytes: Uint8Array) => void): TracePrint {
  const encoder = new TextEncoder();
  const prefix = `[${Deno.pid}] `;
  return (lines) => {
    try {
      writeAll(encoder.encode(lines.map((line) => `${prefix}${line}\n`).join("")));
    } catch {
      // There is nowhere to say so.
    }
  };
}

/** How a process that was started prints: to the file that its first lines of code have made, otherwise to stderr. */
export function startedPrint(
  target: TraceTarget | undefined,
  file: SyncWriter | undefined,
): TracePrint | undefined {
  return target === undefined ? undefined : printTo(file ?? Deno.stderr);
}
