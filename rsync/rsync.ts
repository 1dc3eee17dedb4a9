/** Copies a folder to any number of targets: the public class. */

import { waitFor } from "../channel/wait.ts";
import { Gateway } from "../gateway/mod.ts";
import { receiverScript } from "./_receiver_bundle.ts";
import { newHashKey } from "./common/block_hash.ts";
import { normalize } from "./paths.ts";
import { Source } from "./source.ts";
import { Problems } from "./tally.ts";
import { Target } from "./target.ts";
import type { Destination, Shared } from "./target.ts";
import { walk } from "./walk.ts";
import type { LinkPolicy } from "./walk.ts";

/** How a folder is copied. */
export interface RSyncOptions {
  /**
   * Says what is copied: false leaves an entry out, a folder with all that is in it. It gets the entry's full path and is
   * never asked about the source itself. With `delete` it is also asked about what only a target has, by the path that
   * this would have in the source: what it leaves out stays there.
   */
  filter?: (path: string, entry: Deno.DirEntry) => boolean;
  /** Is told of every step of every target. */
  onProgress?: (e: RSyncProgress) => void;
  /** Prints `<gateway> <= <path>` for every file whose content was sent; by default false. */
  verbose?: boolean;
  /** Compares the content of files whose size and time are the same, too; by default false. */
  checksum?: boolean;
  /**
   * Compresses what is sent, as long as that makes it smaller, which is tried file by file. By default where the way is
   * so slow that it takes less time; `true` always, `false` never.
   */
  compress?: boolean;
  /** Changes nothing, and reports what would have been done; by default false. */
  dryRun?: boolean;
  /**
   * What is done with symbolic links:
   *
   * - `"rewrite"`, the default: a link with an absolute path into the source gets that of the same place in the copy;
   *   all others are copied as they are.
   * - `"keep"`: all are copied as they are.
   * - `"follow"`: what they lead to is copied.
   */
  links?: "rewrite" | "keep" | "follow";
}

/** How a target is treated. */
export interface RSyncTargetOptions {
  /**
   * Removes what the source does not have, but not what the filter leaves out; by default false. Refused where it would
   * remove the source, as far as that can be told: on `popen` and `worker` gateways of this machine.
   */
  delete?: boolean;
  /** Is called when the target has everything. */
  finished?: () => void;
}

/** How a copy is made. */
export interface RSyncSendOptions {
  /** Whether it is an error that there are no targets; by default true. */
  raises?: boolean;
  /** Ends the copy: files that are there stay, and none is left half-written. */
  signal?: AbortSignal;
}

/** How far one target is. The totals grow until `listed` is true. */
export interface RSyncProgress {
  /** The target's gateway. */
  gateway: Gateway;
  /** The target's folder, as `addTarget` was given it. */
  dest: string;
  /** The file that this is about, below the source; undefined where it is about several or none. */
  path: string | undefined;
  /** Files that are dealt with: sent, or found to be the same. */
  files: number;
  /** Files that there are. */
  filesTotal: number;
  /** Bytes of files that are dealt with, those of a file that is being sent included. */
  bytes: number;
  /** Bytes of all files. */
  bytesTotal: number;
  /** Bytes that were sent to this target so far. */
  bytesSent: number;
  /** Whether the source has been walked over, so that the totals are final. */
  listed: boolean;
}

/** What became of one target. */
export interface RSyncResult {
  /** The target's gateway. */
  gateway: Gateway;
  /** The target's folder, as `addTarget` was given it. */
  dest: string;
  /** Files of the source. */
  files: number;
  /** Files of which content was sent. */
  transferred: number;
  /** Entries that were removed. */
  deleted: number;
  /** Bytes of all files of the source. */
  bytesTotal: number;
  /** Bytes that were sent: the list and what files are made of, compressed where they were. */
  bytesSent: number;
  /** What went wrong; empty when the copy is complete. Also what of the source cannot be copied, which all targets have. */
  errors: Error[];
}

interface AddedTarget extends Destination {
  readonly finished: (() => void) | undefined;
}

/** So many files a target may lag behind the walk; beyond that the walk waits for the fastest one. */
const MOST_AHEAD_FILES = 65_536;

/**
 * So long the far side stays ready for the next copy: a folder that is watched is copied again within seconds. What it
 * costs there is a Worker, or with `execmodel=process` a process.
 */
const IDLE_MS = 30_000;

const OPTION_NAMES = ["filter", "onProgress", "verbose", "checksum", "compress", "dryRun", "links"];
const LINK_POLICIES: readonly LinkPolicy[] = ["rewrite", "keep", "follow"];

/**
 * Copies a folder to any number of targets, or brings copies up to date.
 *
 * - The source is walked over once, while targets are at work. A target that is slow or fails neither delays nor harms
 *   the others.
 * - A file of the same size and time of modification is taken to be the same. Of one that is not, only what has changed is
 *   sent; of a new one, all of it. Neither side ever holds a large file in memory.
 * - A file is written beside the one whose place it takes, flushed and renamed: there is always the old one or the new
 *   one, whatever happens. (What takes the place of nothing is not flushed: after a loss of power the next copy sends it
 *   again.) What a copy that was cut off leaves is removed by the next one.
 * - Modes and times of modification (in milliseconds) are kept, and so are empty folders. Owners, hard links and
 *   extended attributes are not. Devices, sockets and named pipes are left out and reported.
 * - Nothing is ever written or removed outside of the target's folder, whatever the source holds.
 * - Where the source is a file, so is the target.
 *
 * The gateway needs `allow-read` and `allow-write` for the folder; for symbolic links it needs both without a list of
 * paths, because Deno does.
 *
 * @example
 * ```ts
 * import { makeGateway, RSync } from "@execnet/execnet";
 *
 * const folder = await Deno.makeTempDir();
 * await Deno.mkdir(`${folder}/site`);
 * await Deno.writeTextFile(`${folder}/site/index.html`, "<h1>Hello</h1>");
 *
 * await using gw = await makeGateway(`popen//allow-read=${folder}/copy//allow-write=${folder}/copy`);
 * const rsync = new RSync(`${folder}/site`);
 * rsync.addTarget(gw, `${folder}/copy`, { delete: true });
 * const [result] = await rsync.send();
 * console.log(result!.transferred, result!.errors); // 1 []
 * ```
 */
export class RSync {
  readonly #source: string;
  readonly #options: RSyncOptions;
  #targets: AddedTarget[] = [];

  /**
   * Prepares to copy `source`, a folder or a file.
   *
   * @param source its path, or a `file:` URL
   * @throws {TypeError} when an option is unknown or of the wrong kind
   */
  constructor(source: string | URL, options: RSyncOptions = {}) {
    this.#source = pathOf(source);
    checkOptions(options);
    this.#options = { ...options };
  }

  /**
   * Adds a target of the next {@linkcode RSync.send}.
   *
   * @param dest the folder that becomes a copy; a relative path begins at the gateway's working directory. It is made if
   * it is not there
   * @throws {TypeError} when `dest` is no path, or an option is unknown or of the wrong kind
   */
  addTarget(gateway: Gateway, dest: string, options: RSyncTargetOptions = {}): void {
    const fail = (problem: string): never => {
      throw new TypeError(`Cannot add a target on gateway "${gateway.id}": ${problem}`);
    };
    if (typeof dest !== "string" || dest === "" || dest.includes("\0")) fail("the folder must be a path");
    const { delete: remove = false, finished, ...rest } = options;
    const unknown = Object.keys(rest)[0];
    if (unknown !== undefined) fail(`there is no option "${unknown}"`);
    if (typeof remove !== "boolean") fail(`delete must be a boolean, got ${typeof remove}`);
    if (finished !== undefined && typeof finished !== "function") fail("finished must be a function");
    this.#targets.push({ gateway, dest, delete: remove, finished });
  }

  /**
   * Copies to all targets, and forgets them. Resolves when every target is finished or has failed; what went wrong on a
   * target is in its result.
   *
   * @returns a result for each target, in the order in which they were added
   * @throws {Error} when there are no targets, unless `raises` is false
   * @throws {Deno.errors.NotFound} when there is no source
   * @throws {TypeError} when the source is neither a folder nor a file
   * @throws what `filter`, `onProgress` or `finished` throws; the copy is ended then
   * @throws the reason of `signal`
   */
  async send({ raises = true, signal }: RSyncSendOptions = {}): Promise<RSyncResult[]> {
    const added = this.#targets;
    this.#targets = [];
    if (added.length === 0) {
      if (!raises) return [];
      throw new Error(`Cannot copy ${JSON.stringify(this.#source)}: there are no targets`);
    }
    signal?.throwIfAborted();
    const root = this.#source.startsWith("/") ? this.#source : normalize(`${Deno.cwd()}/${this.#source}`);
    const { isFile, isDirectory } = await Deno.stat(root);
    if (!isFile && !isDirectory) {
      throw new TypeError(`Cannot copy ${JSON.stringify(root)}: it is neither a folder nor a file`);
    }
    return await this.#copy(root, isFile, added, signal);
  }

  async #copy(
    root: string,
    single: boolean,
    added: readonly AddedTarget[],
    signal: AbortSignal | undefined,
  ): Promise<RSyncResult[]> {
    const { filter, onProgress, verbose = false, checksum = false, compress, dryRun = false } = this.#options;
    const links = this.#options.links ?? "rewrite";
    const trade = { name: "rsync", source: receiverScript(), idleMs: IDLE_MS };
    const shared: Shared = {
      lend: (gateway) => Gateway.lend(gateway, trade),
      source: new Source(links === "follow", added.length),
      root,
      single,
      filter,
      verbose,
      checksum,
      compress,
      dryRun,
      key: newHashKey(),
      avoided: new Set(),
      follow: links === "follow",
      progress: (target, path) => onProgress?.(progressOf(target, path)),
    };
    const problems = new Problems();
    const targets = added.map((one) => new Target(one, shared));
    const failed = new AbortController();
    const either = signal === undefined ? failed.signal : AbortSignal.any([signal, failed.signal]);
    const list = async (): Promise<void> => {
      const keep = added.some((one) => one.delete);
      for await (
        const batch of walk(root, {
          filter,
          links,
          keep,
          avoided: shared.avoided,
          problem: (error) => problems.add(error),
        })
      ) {
        for (const target of targets) target.offer(batch);
        await room(targets, either);
        if (!targets.some(({ alive }) => alive)) return;
      }
      for (const target of targets) target.offer(undefined);
    };
    const run = async (target: Target, i: number): Promise<void> => {
      await target.run(either);
      if (target.complete) added[i]!.finished?.();
    };
    // Targets first: the walk must know which of them it is not to go into.
    const parts = [...targets.map(run), list()];
    try {
      await Promise.all(parts);
    } catch (error) {
      failed.abort(error);
      await Promise.allSettled(parts);
      throw error;
    }
    return targets.map((target) => resultOf(target, problems.all));
  }
}

/** Resolves when a target can use more of the list, or none can use any. */
async function room(targets: readonly Target[], signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  while (true) {
    const alive = targets.filter((target) => target.alive);
    if (alive.length === 0 || alive.some(({ backlog }) => backlog < MOST_AHEAD_FILES)) return;
    await waitFor(Promise.race(alive.map((target) => target.changed)), { signal }, () => "");
  }
}

function progressOf({ destination, tally, listEnded }: Target, path: string | undefined): RSyncProgress {
  return {
    gateway: destination.gateway,
    dest: destination.dest,
    path,
    files: tally.files,
    filesTotal: tally.listed,
    bytes: tally.bytes,
    bytesTotal: tally.listedBytes,
    bytesSent: tally.sent,
    listed: listEnded,
  };
}

function resultOf({ destination, tally }: Target, problems: readonly Error[]): RSyncResult {
  return {
    gateway: destination.gateway,
    dest: destination.dest,
    files: tally.listed,
    transferred: tally.transferred,
    deleted: tally.deleted,
    bytesTotal: tally.listedBytes,
    bytesSent: tally.sent,
    errors: [...problems, ...tally.errors],
  };
}

function pathOf(source: string | URL): string {
  const path = source instanceof URL ? pathOfUrl(source) : source;
  if (typeof path !== "string" || path === "" || path.includes("\0")) {
    throw new TypeError("Cannot copy: the source must be a path or a file: URL");
  }
  return path.startsWith("/") ? normalize(path) : path;
}

function pathOfUrl({ href, protocol, host, pathname }: URL): string {
  if (protocol !== "file:") throw new TypeError(`Cannot copy ${href}: it is no file: URL`);
  if (host !== "") throw new TypeError(`Cannot copy ${href}: it is on another machine`);
  try {
    return decodeURIComponent(pathname);
  } catch (cause) {
    throw new TypeError(`Cannot copy ${href}: it has no path in UTF-8`, { cause });
  }
}

function checkOptions(options: RSyncOptions): void {
  const fail = (problem: string): never => {
    throw new TypeError(`Cannot copy: ${problem}`);
  };
  const unknown = Object.keys(options).find((key) => !OPTION_NAMES.includes(key));
  if (unknown !== undefined) fail(`there is no option "${unknown}"`);
  for (const name of ["filter", "onProgress"] as const) {
    const value: unknown = options[name];
    if (value !== undefined && typeof value !== "function") fail(`${name} must be a function`);
  }
  for (const name of ["verbose", "checksum", "compress", "dryRun"] as const) {
    const value: unknown = options[name];
    if (value !== undefined && typeof value !== "boolean") fail(`${name} must be a boolean`);
  }
  const { links } = options;
  if (links !== undefined && !LINK_POLICIES.includes(links)) {
    fail(`links must be one of ${LINK_POLICIES.join(", ")}, got ${JSON.stringify(links)}`);
  }
}
