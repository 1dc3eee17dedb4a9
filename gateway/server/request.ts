/** What a client asks the server to start: checked against the list, and turned into a plan. */

import { XSpec } from "../../xspec/mod.ts";
import type { Permissions } from "../../xspec/mod.ts";
import { ownDeno } from "../process/own_deno.ts";
import { planProcess } from "../process/plan.ts";
import type { ProcessPlan } from "../process/plan.ts";
import { FrameError } from "../socket/frames.ts";
import {
  absolute,
  BeyondList,
  checkPermissions,
  checkVariables,
  mayWrite,
  resolvePath,
} from "./containment.ts";

/** What connections may ask for. */
export interface Limits {
  /** What they may do; its paths are absolute. */
  readonly list: Permissions;
  /** The largest heap in bytes, and that of processes that do not ask for one. */
  readonly memory: number | undefined;
}

const MAX_NAME_CHARACTERS = 200;

/** No more than a system takes as one word of a command, in which all of it ends. */
const MAX_SPEC_CHARACTERS = 128 * 1024;

/** Each is looked at, links included, while nothing else is served. */
const MAX_ITEMS = 1_000;

/** Keys of a spec that are none of a client's business. */
const REFUSED: readonly (readonly [key: string, why: string])[] = [
  ["deno", "the server runs its own Deno"],
  ["provision", "the server runs its own Deno"],
  ["via", "a server starts processes on its own machine"],
];

/**
 * Plans the process that a client asks for. Makes its working folder where that is missing and may be made.
 *
 * @param fields the content of the start frame: untrusted
 * @throws {BeyondList} when it asks for more than it may have
 * @throws {XSpecError} when its spec is none
 * @throws {FrameError} when the fields are not what they must be
 */
export function planRequest(fields: Record<string, unknown>, limits: Limits): ProcessPlan {
  const { name, spec: text, trace } = fields;
  if (typeof name !== "string" || name.length > MAX_NAME_CHARACTERS || typeof text !== "string") {
    throw new FrameError("Cannot read a start without a name and a spec");
  }
  if (text.length > MAX_SPEC_CHARACTERS) throw new FrameError("Cannot start a gateway with so long a spec");
  const spec = new XSpec(text);
  const { allow, deny } = spec.permissions;
  const items = [...Object.values(allow), ...Object.values(deny)].flatMap((list) =>
    list === true ? [] : list
  );
  if (items.length > MAX_ITEMS) {
    throw new FrameError(`Cannot check more than ${MAX_ITEMS} items of permissions`);
  }
  if (spec.type !== "popen") throw new BeyondList(spec.type, "a server starts processes only");
  for (const [key, why] of REFUSED) if (spec.get(key) !== undefined) throw new BeyondList(key, why);
  if (spec.nice !== undefined && spec.nice < 0) throw new BeyondList("nice", "it must be from 0 to 19");
  const memory = capped(spec.memory, limits.memory);
  checkVariables(limits.list, Object.keys(spec.env));
  const cwd = workingFolder(spec.chdir, limits.list, (folder) => {
    checkPermissions(limits.list, absolute(spec.permissions, folder), realPath);
  });
  return planProcess(spec, {
    name,
    deno: [ownDeno()],
    cwd,
    permissions: absolute(spec.permissions, cwd),
    memory,
    ...(trace === true ? { trace: { to: "stderr" } } : {}),
  });
}

function capped(asked: number | undefined, cap: number | undefined): number | undefined {
  if (cap === undefined) return asked;
  if (asked === undefined || asked <= cap) return asked ?? cap;
  throw new BeyondList("memory", `the server allows ${Math.floor(cap / 2 ** 20)}M`);
}

/** The real path of the working folder. `check` looks at the rest of the request before anything is made. */
function workingFolder(
  chdir: string | undefined,
  list: Permissions,
  check: (folder: string) => void,
): string {
  if (chdir === undefined) {
    check(Deno.cwd());
    return Deno.cwd();
  }
  const path = resolvePath(Deno.cwd(), chdir);
  const real = realPath(path);
  check(real);
  const there = stat(real);
  if (there?.isDirectory) return real;
  if (there !== undefined) throw new BeyondList("chdir", `"${chdir}" is no folder on the server`);
  if (!mayWrite(list, path, realPath)) {
    throw new BeyondList(
      "chdir",
      `"${chdir}" does not exist on the server, and its list allows no writing there`,
    );
  }
  try {
    Deno.mkdirSync(real, { recursive: true });
  } catch (cause) {
    throw new BeyondList("chdir", `"${chdir}" cannot be made on the server`, { cause });
  }
  return Deno.realPathSync(real);
}

function stat(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.statSync(path);
  } catch {
    return undefined;
  }
}

/** The real path of what need not exist: that of the nearest folder above that does, with the rest behind it. */
export function realPath(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch {
    // From above, because of a path that somebody has made up most does not exist.
    let there = "/";
    for (let slash = path.indexOf("/", 1); slash !== -1; slash = path.indexOf("/", slash + 1)) {
      const folder = path.slice(0, slash);
      if (stat(folder) === undefined) break;
      there = folder;
    }
    return resolvePath("/", `${Deno.realPathSync(there)}/${path.slice(there.length)}`);
  }
}
