/** Where a function was written. */

import { loadedModule } from "./loaded.ts";
import type { Loaded } from "./loaded.ts";
import { importsIn, mayDeclare, outlineOf } from "./outline.ts";
import type { Outline, WrittenFunction } from "./outline.ts";
import { positionAt } from "./place.ts";
import type { Place } from "./place.ts";

/** A function as it stands in the file of its author. */
export interface Origin {
  /** Where the author wrote what stands at a line and column, both from 1, of the function's text. */
  locate(line: number, column: number): Place | undefined;
  /** Whether something around the function declares a name. */
  declares(name: string): boolean;
}

/** A module that is looked at. */
class Module implements Loaded {
  readonly url: string;
  readonly text: string;
  readonly original: Loaded["original"];
  #outline: Outline | undefined;
  #imports: readonly string[] | undefined;

  constructor({ url, text, original }: Loaded) {
    this.url = url;
    this.text = text;
    this.original = original;
  }

  get outline(): Outline {
    return this.#outline ??= outlineOf(this.text);
  }

  /** The modules that it imports, as URLs of files and hosts. */
  get imports(): readonly string[] {
    // Taken out first: what is resolved here is the caller's, and nothing that publishing this package could rewrite.
    const { resolve } = import.meta;
    return this.#imports ??= importsIn(this.text).flatMap((specifier) => {
      try {
        return /^\.{0,2}\//.test(specifier) ? new URL(specifier, this.url).href : resolve(specifier);
      } catch {
        // What cannot be resolved was not loaded.
        return [];
      }
    });
  }
}

/** A function in a module. */
interface Candidate {
  readonly module: Module;
  readonly fn: WrittenFunction;
}

/** How much is looked at. All of it takes some 100 ms, in which the program stands still. */
const FAR: Reach = { modules: 128, chars: 1_000_000 };
const NEAR: Reach = { modules: 24, chars: 300_000 };

interface Reach {
  readonly modules: number;
  readonly chars: number;
}

/** What is known of a function that is to be found. */
export interface Wanted {
  readonly text: string;
  readonly name: string;
  /** The stack of a call that ships a function with this text. */
  readonly stack: string;
  /** Whether that is the call that ships this very function. */
  readonly own: boolean;
}

/**
 * Finds a function by its text: in the files that stand on the stack of the call that ships it, the nearest first,
 * then in what those import, and so on.
 *
 * A file that has the function decides. Of several functions there with equal texts, it is the one with the right name;
 * then the one that is an argument of a call on the stack, if that stack is its own. If that leaves several, or several
 * files at equal distance have it, the place is not known: no place is better than a wrong one.
 */
export function findOrigin(wanted: Wanted): Origin | undefined {
  return search(wanted, FAR, () => true);
}

/**
 * Those of some names that something around a function declares, as far as that can be found out nearby. Most
 * functions are asked for, and few files declare such names: they are not parsed before their text says that they may.
 */
export function declaredAround(wanted: Wanted, names: readonly string[]): string[] {
  const { text } = wanted;
  const origin = search(wanted, NEAR, (module) => {
    if (module.text.length > NEAR.chars) return false;
    const at = module.text.indexOf(text);
    const around = `${module.text.slice(0, at)} ${module.text.slice(at + text.length)}`;
    return names.some((name) => mayDeclare(around, name));
  });
  return origin === undefined ? [] : names.filter((name) => origin.declares(name));
}

/** Finds a function, unless a module with its text is not worth to be parsed. */
function search(
  { text, name, stack, own }: Wanted,
  reach: Reach,
  isWorth: (module: Module) => boolean,
): Origin | undefined {
  const frames = framesOf(stack);
  const calls = own ? frames : [];
  const seen = new Map<string, Module | undefined>();
  let chars = 0;
  let worthless = false;
  const candidates = (url: string, onStack: boolean): Candidate[] => {
    if (seen.has(url) || seen.size >= reach.modules || chars >= reach.chars || isOwn(url)) return [];
    const module = moduleAt(url, onStack || reach === FAR ? text : "");
    seen.set(url, module);
    if (module === undefined) return [];
    chars += module.text.length;
    if (!module.text.includes(text)) return [];
    if (isWorth(module)) return candidatesIn(module, text, name);
    worthless = true;
    return [];
  };
  let level = [...new Set(frames.map(({ url }) => url))];
  for (const url of level) {
    const found = candidates(url, true);
    if (worthless) return undefined;
    if (found.length > 0) return asOrigin(chosen(found, calls), text);
  }
  while (level.length > 0) {
    level = [...new Set(level.flatMap((url) => seen.get(url)?.imports ?? []))].filter((url) =>
      !seen.has(url)
    );
    const found = level.flatMap((url) => candidates(url, false));
    if (found.length > 0) return asOrigin(chosen(found, calls), text);
    if (worthless) return undefined;
  }
}

/** Modules that have been looked at, the latest last: functions are shipped from the same few files. */
const known = new Map<string, Module | undefined>();
const MAX_KNOWN = 256;
const MAX_KNOWN_CHARS = 2_000_000;
let knownChars = 0;

/**
 * A module that has been looked at, if it has a text, and else the module as it is now. What has been loaded does not
 * change, but a file may be looked at before it is loaded, and a program may be given new code.
 */
function moduleAt(url: string, text: string): Module | undefined {
  let module = known.get(url);
  const isNew = !known.delete(url);
  if (!isNew) knownChars -= module?.text.length ?? 0;
  if (isNew || module?.text.includes(text) !== true && text !== "") {
    const loaded = loadedModule(url);
    if (loaded?.text !== module?.text) module = loaded === undefined ? undefined : new Module(loaded);
  }
  known.set(url, module);
  knownChars += module?.text.length ?? 0;
  for (const [oldest, dropped] of known) {
    if (known.size <= MAX_KNOWN && knownChars <= MAX_KNOWN_CHARS) break;
    known.delete(oldest);
    knownChars -= dropped?.text.length ?? 0;
  }
  return module;
}

/** Whether a module is one of this package, which ships no function of a user. */
function isOwn(url: string): boolean {
  return OWN_FOLDERS.some((folder) => url.startsWith(folder));
}

const OWN_FOLDERS: readonly string[] = ["gateway/", "channel/", "xspec/"].map((folder) =>
  new URL(`../../${folder}`, import.meta.url).href
);

/** The places on a stack, the nearest first. */
function framesOf(stack: string): Place[] {
  const frames: Place[] = [];
  for (const [, shown, line, column] of stack.matchAll(FRAME)) {
    for (const url of urlsOf(shown!)) frames.push({ url, line: Number(line), column: Number(column) });
  }
  return frames;
}

const FRAME = /^ +at (?:async )?(?:.*?\()?((?:file|https?):\/\/.*?):(\d+):(\d+)\)?$/gm;

/** The URLs that a stack may mean. Of files, Deno shows some as URLs, and others with their path as it is. */
function urlsOf(shown: string): string[] {
  const urls: string[] = [];
  if (URL.parse(shown)?.href === shown) urls.push(shown);
  if (shown.startsWith("file://") && (urls.length === 0 || shown.includes("%"))) {
    // A `?` may begin a query or be of the name: it is a query far more often.
    const [path, ...query] = shown.slice("file://".length).replaceAll("%", "%25").split("?");
    const url = new URL("file:///");
    url.pathname = path!;
    url.search = query.join("?");
    urls.push(url.href);
  }
  return urls;
}

/** The functions of a module that have a text and a name. */
function candidatesIn(module: Module, text: string, name: string): Candidate[] {
  return module.outline.functions.filter(({ start, end, name: given }) =>
    end - start === text.length && module.text.startsWith(text, start) &&
    (given === undefined || given === name)
  ).map((fn) => ({ module, fn }));
}

function chosen(found: Candidate[], calls: readonly Place[]): Candidate | undefined {
  if (found.length === 1) return found[0];
  const called = found.filter(({ module, fn }) => {
    if (fn.call === undefined || calls.length === 0) return false;
    const at = positionAt(module.text, fn.call);
    const call = module.original(at.line, at.column);
    return call !== undefined &&
      calls.some(({ url, line, column }) => url === call.url && line === call.line && column === call.column);
  });
  return called.length === 1 ? called[0] : undefined;
}

function asOrigin(candidate: Candidate | undefined, text: string): Origin | undefined {
  if (candidate === undefined) return undefined;
  const { module, fn } = candidate;
  let start: { line: number; column: number } | undefined;
  let lines: string[] | undefined;
  return {
    locate: (line, column) => {
      start ??= positionAt(module.text, fn.start);
      lines ??= text.split(/\r\n?|[\n\u2028\u2029]/);
      const length = lines[line - 1]?.length;
      if (length === undefined || column < 1 || column > length + 1) return undefined;
      return module.original(start.line + line - 1, line === 1 ? start.column + column - 1 : column);
    },
    declares: (name) => module.outline.declares(name, fn),
  };
}
