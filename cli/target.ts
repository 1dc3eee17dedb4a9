/** Where a folder is copied to: `<spec>:<folder>`. Pure. */

import { XSpec } from "../mod.ts";
import { EXIT, Failure, UsageError } from "./failure.ts";

/** A target of a copy. */
export interface Target {
  /** As it was typed. */
  readonly word: string;
  /** The spec, with what the copy needs to be allowed. */
  readonly spec: XSpec;
  /** The folder there. */
  readonly dest: string;
}

const FORM = "A target is <spec>:<folder>, such as ssh=build1:/srv/site, or popen:/srv/site for this machine";

/**
 * Splits a target at its last colon: ports and lists of a spec hold colons, too. In the folder, `%3A` is a colon and `%25` a
 * percent sign. A spec that says nothing of reading and writing is allowed both in the folder. Where the source is a single
 * file, the target is one, too; it is written beside itself, so both are allowed in the folder that it is in.
 *
 * @throws {UsageError} when it has no folder
 * @throws {XSpecError} when its spec is none
 */
export function readTarget(word: string, single = false): Target {
  const fail = (problem: string): never => {
    throw new Failure(`Cannot copy to "${word}": ${problem}`, FORM, EXIT.usage);
  };
  const colon = word.lastIndexOf(":");
  if (colon < 0) return fail("it has no colon between a spec and a folder");
  const raw = word.slice(colon + 1);
  if (raw === "") return fail("it names no folder; a dot stands for the working directory there");
  if (raw.includes("//")) return fail("what belongs to the spec stands before the colon");
  if (/^\d+$/.test(raw) && /(^|\/\/)socket=[^/]*$/.test(word.slice(0, colon))) {
    return fail("the colon of its port is not that of a folder");
  }
  if (raw === "~" || raw.startsWith("~/")) {
    return fail('nobody there replaces "~"; a relative path begins at the working directory, ssh\'s at home');
  }
  const text = raw.replace(/%(3A|25)/gi, (_, code) => code === "25" ? "%" : ":");
  const dest = text === "/" ? text : text.replace(/\/$/, "");
  return { word, spec: allowed(new XSpec(word.slice(0, colon)), single ? folderOf(dest) : dest, fail), dest };
}

function folderOf(path: string): string {
  const cut = path.lastIndexOf("/");
  return cut < 0 ? "." : path.slice(0, cut) || "/";
}

/** A spec that may read and write the folder, unless it says itself what it may read or write. */
function allowed(spec: XSpec, dest: string, fail: (problem: string) => never): XSpec {
  const { all, allow, deny } = spec.permissions;
  const said = all || [allow, deny].some(({ read, write }) => read !== undefined || write !== undefined);
  if (said) return spec;
  if (dest.includes(",")) {
    return fail(
      "a permission cannot hold a comma; say allow-read and allow-write in the spec, for a folder above it",
    );
  }
  const value = dest.replace(/%(?=2F|25)/gi, "%25").replace(/\/$/, "%2F");
  return new XSpec(`${spec}//allow-read=${value}//allow-write=${value}`);
}

/** @throws {UsageError} when a target is named twice */
export function readTargets(words: readonly string[], single = false): Target[] {
  const twice = words.find((word, i) => words.indexOf(word) < i);
  if (twice !== undefined) throw new UsageError(`The target "${twice}" is given twice`, "rsync");
  return words.map((word) => readTarget(word, single));
}
