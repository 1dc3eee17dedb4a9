/** A module of the caller with all that it imports, as one script: made by `deno bundle`, and made anew when a file has changed. */

import { bundle } from "./_bundle.ts";
import { explain, failure } from "./_explain.ts";
import { type Fingerprint, fingerprint, isUnchanged } from "./_fingerprint.ts";
import { fileUrl, graphOf } from "./_graph.ts";
import { locator } from "./_locate.ts";
import { projectOf } from "./_project.ts";
import { type DenoTask, NoDeno } from "./_run_deno.ts";
import type { Place } from "./place.ts";

/** A module as one script. */
export interface ModuleSource {
  /** One ES module with everything in it: local files, npm and jsr packages; only `node:` built-ins stay imports. */
  readonly code: string;
  /** The module, for labels. */
  readonly url: string;
  /** Where the author wrote what stands at a line and column (1-based) of `code`; undefined where unknown. */
  locate(line: number, column: number): Place | undefined;
}

/** How {@linkcode moduleSource} goes about it. */
export interface ModuleSourceOptions {
  /** Ends the wait; the bundling too, unless somebody else waits for it. */
  signal?: AbortSignal | undefined;
}

/** How long Deno may take: packages may have to be fetched on the way. */
const BUNDLE_TIMEOUT_MS = 120_000;

/** Modules that are remembered. Scripts of many packages have megabytes. */
const MAX_REMEMBERED = 32;

/** Bundlings of files that change meanwhile, before one is taken as it is. */
const MAX_ATTEMPTS = 3;

interface Remembered {
  source: ModuleSource;
  /** What all that went in said. */
  fingerprint: Fingerprint;
}

/** A bundling under way. */
interface Flight {
  promise: Promise<ModuleSource>;
  waiting: number;
  controller: AbortController;
}

/** By URL; the one that was not used for longest comes first. A bundle says the same to whoever asks, so all share it. */
const remembered = new Map<string, Remembered>();
const flights = new Map<string, Flight>();

/**
 * Turns a module into one script that needs neither files nor a network.
 *
 * - The script says what the files say at the time of the call. It is made once and used again as long as every local
 *   file that went in, and every file that configures them (deno.json, its import map, package.json, .npmrc, lock file),
 *   has the content it had; times do not count. Calls at the same time share the work.
 * - The configuration is the one that Deno finds from the module's folder upwards, or, for an `http:` module, from the
 *   working directory. Flags of the caller's own command line such as `--config` and `--import-map` are not known here.
 * - The lock file is obeyed and never written, nor is anything else beside the module; only a configuration that says
 *   `"vendor": true` has Deno keep what it fetches there.
 * - Imports with `type: "json"`, `"text"` and `"bytes"` are inside, and so are dynamic imports of a literal and, as
 *   esbuild sees them, of a template that starts with `./` or `../`: all files that fit. Other dynamic imports stay as they are.
 * - Not noticed: a new file that resolution would now prefer or that would now fit a template, and changes to packages
 *   in Deno's cache. For `http:` modules Deno's cache is what counts; `deno cache --reload` renews it.
 * - In the script `import.meta.url` is the URL it is loaded from over there, so that `import.meta.resolve`,
 *   `import.meta.dirname` and `new Worker(new URL("./w.ts", import.meta.url))` do not find the module's neighbours.
 *
 * @throws {TypeError} when the URL is none of `file:`, `http:` and `https:`
 * @throws {Error} when the module, or one that it imports, does not exist, does not parse or cannot be resolved; the
 * message says which one, why, and where
 */
export async function moduleSource(url: URL, options: ModuleSourceOptions = {}): Promise<ModuleSource> {
  if (!(url instanceof URL)) throw new TypeError(`Cannot ship a module: expected a URL, got ${typeof url}`);
  if (!/^(?:file|https?):$/.test(url.protocol)) {
    const shown = url.href.length > 80 ? `${url.href.slice(0, 80)}…` : url.href;
    throw new TypeError(`Cannot ship module "${shown}": its URL must be file:, http: or https:`);
  }
  const { signal } = options;
  const key = url.href;
  while (true) {
    signal?.throwIfAborted();
    const known = remembered.get(key);
    if (known !== undefined && isUnchanged(known.fingerprint, await fingerprint(known.fingerprint.keys()))) {
      signal?.throwIfAborted();
      remember(key, known);
      return known.source;
    }
    const flight = flights.get(key);
    if (flight === undefined) return await join(key, takeOff(key), signal);
    // It may have read a file before that was changed and this call was made; so what it remembers is compared.
    await join(key, flight, signal);
  }
}

function remember(key: string, one: Remembered): void {
  remembered.delete(key);
  remembered.set(key, one);
  if (remembered.size > MAX_REMEMBERED) remembered.delete(remembered.keys().next().value!);
}

function takeOff(key: string): Flight {
  const controller = new AbortController();
  const promise = shipWithin(BUNDLE_TIMEOUT_MS, key, controller);
  const flight: Flight = { promise, waiting: 0, controller };
  flights.set(key, flight);
  const land = (): void => {
    if (flights.get(key) === flight) flights.delete(key);
  };
  promise.then(land, land);
  return flight;
}

/** Waits for a bundling, which ends with the last who waits for it. */
async function join(key: string, flight: Flight, signal: AbortSignal | undefined): Promise<ModuleSource> {
  if (signal?.aborted === true) throw signal.reason;
  flight.waiting++;
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal?.reason);
  signal?.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([flight.promise, aborted.promise]);
  } finally {
    signal?.removeEventListener("abort", abort);
    if (--flight.waiting === 0 && flights.get(key) === flight) {
      flights.delete(key);
      flight.controller.abort(signal?.reason);
    }
  }
}

/** Exported for the tests: bundles a module, and gives up after a time. */
export async function shipWithin(
  timeoutMs: number,
  key: string,
  controller: AbortController = new AbortController(),
): Promise<ModuleSource> {
  const timer = setTimeout(() => {
    controller.abort(failure(key, `"deno bundle" has not ended after ${timeoutMs} ms`));
  }, timeoutMs);
  try {
    return await ship(key, controller.signal);
  } finally {
    clearTimeout(timer);
  }
}

async function ship(key: string, signal: AbortSignal): Promise<ModuleSource> {
  const { entry, folder } = await whereIs(new URL(key));
  for (let attempt = 1;; attempt++) {
    const project = folder === undefined
      ? { files: [], lock: undefined, makesNodeModules: false }
      : await projectOf(folder);
    const task: DenoTask = { entry, folder, project, signal };
    const graph = await attempted(key, graphOf(task));
    if (typeof graph === "string") throw explain(key, graph);
    const before = await fingerprint([...project.files, ...graph.files]);
    const bundled = await attempted(key, bundle(task));
    if (typeof bundled === "string") throw explain(key, bundled, graph.errors);
    const { code, map, packaged } = bundled;
    const others = [...map.sources, ...packaged].filter((url) => url !== null).filter((url) =>
      url.startsWith("file:") && !graph.cached.some((folder) => url.startsWith(folder))
    );
    const after = await fingerprint([...before.keys(), ...others]);
    const current = isUnchanged(before, after);
    if (!current && attempt < MAX_ATTEMPTS) continue;
    const local = (source: string): URL | undefined =>
      URL.parse(source.startsWith("file:") ? source : graph.kept.get(source) ?? "") ?? undefined;
    const source: ModuleSource = { code, url: key, locate: await locator(map, local) };
    if (current && !signal.aborted) remember(key, { source, fingerprint: after });
    return source;
  }
}

/** The module as Deno shall see it, and the folder whose configuration counts. */
async function whereIs(url: URL): Promise<{ entry: URL; folder: URL | undefined }> {
  if (url.protocol !== "file:") {
    return { entry: url, folder: new URL(`${fileUrl(Deno.cwd())}/`) };
  }
  // The paths in a source map are relative to the folder's real path. A link to the module itself is not followed,
  // because Deno does not: its imports are relative to the link.
  const given = new URL("./", url);
  const real = await Deno.realPath(given).catch((error: unknown) => {
    if (error instanceof Deno.errors.NotFound) throw failure(url.href, "its folder does not exist", error);
    throw error;
  });
  const folder = new URL(`${fileUrl(real).replace(/\/$/, "")}/`);
  return { entry: new URL(url.href.slice(given.href.length), folder), folder };
}

/**
 * What a program made by `deno compile` lacks: a Deno that bundles, and files. What was compiled into it is nowhere that
 * another process could read it, unless the program puts it there when it starts.
 */
async function attempted<T>(key: string, running: Promise<T>): Promise<T> {
  try {
    return await running;
  } catch (error) {
    if (error instanceof NoDeno) {
      const reason =
        `a program made by "deno compile" needs the command "deno" for it, on PATH or in ~/.deno/bin`;
      throw failure(key, reason, error);
    }
    if (!Deno.build.standalone || !(error instanceof Deno.errors.NotFound)) throw error;
    const reason = "it is inside of this program's executable, where Deno cannot read it; " +
      `"deno compile --self-extracting --include" makes files of it`;
    throw failure(key, reason, error);
  }
}
