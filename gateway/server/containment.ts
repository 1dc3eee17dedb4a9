/** Whether what a connection asks for is within the server's list. Pure but for the real paths that it is given. */

import { narrow } from "../../xspec/mod.ts";
import type { PermissionName, Permissions, PermissionsInit } from "../../xspec/mod.ts";

/** What is asked for goes beyond the list. */
export class BeyondList extends Error {
  static {
    this.prototype.name = "BeyondList";
  }
  /** The spec key that asks for too much. */
  readonly key: string;

  /** Makes the error for a key. */
  constructor(key: string, problem: string, options?: ErrorOptions) {
    super(`Cannot start a gateway with ${key}: ${problem}`, options);
    this.key = key;
  }
}

/** The kinds whose items are paths. Those of `run` are where they have a slash in them. */
const PATHS: readonly string[] = ["read", "write", "ffi"];

/**
 * Variables that decide what a process runs before, or beside, its own code: the loader's, Deno's and Node's own, the
 * shell's, and where Deno looks for what it has compiled before. And those by which Deno itself writes, connects, or
 * trusts others, without asking for a permission: telemetry, keys of TLS, proxies, the resolver's.
 */
const POWERFUL = new RegExp(
  `^(${
    [
      "(LD|DYLD|DENO|NODE|NPM|JSR|GLIBC|MALLOC|OPENSSL|EXECNET|V8|OTEL|RUST|TOKIO|SSL)_.*",
      ".*_PROXY|SSLKEYLOGFILE|HOSTALIASES|LOCALDOMAIN|RES_OPTIONS|RESOLV_.*|TZDIR|LOCPATH|NLSPATH",
      "GCONV_PATH|PATH|HOME|ENV|BASH_ENV|SHELL|SHELLOPTS|IFS|CDPATH|TMPDIR|XDG_CACHE_HOME",
    ].join("|")
  })$`,
  "i",
);

/** Permissions whose paths are absolute and without `.` and `..`, so that they mean the same in every folder. */
export function absolute(permissions: Permissions, cwd: string): Permissions {
  const lists = (all: Permissions["allow"]): Permissions["allow"] =>
    Object.fromEntries(
      Object.entries(all).map(([name, list]) => [
        name,
        list === true ? list : list.map((item: string) => isPath(name, item) ? resolvePath(cwd, item) : item),
      ]),
    );
  return { all: permissions.all, allow: lists(permissions.allow), deny: lists(permissions.deny) };
}

function isPath(name: string, item: string): boolean {
  return PATHS.includes(name) || name === "run" && item.includes("/");
}

/** A path as an absolute one, without `.`, `..`, and doubled slashes. */
export function resolvePath(cwd: string, path: string): string {
  const parts: string[] = [];
  for (const part of (path.startsWith("/") ? path : `${cwd}/${path}`).split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

/**
 * Checks that permissions are no wider than the list. All paths of both are absolute.
 *
 * - A path lies in a listed folder as text, and still does when `real` has followed the links in both.
 * - A host is listed itself, or without its port; the items of other kinds are listed as they stand.
 *
 * @param real gives the real path of a path, which need not exist
 * @throws {BeyondList} when they are wider
 */
export function checkPermissions(
  list: Permissions,
  asked: Permissions,
  real: (path: string) => string,
): void {
  if (list.all) return;
  if (asked.all) throw new BeyondList("allow-all", `the server allows ${listed(list)}`);
  for (const [key, items] of Object.entries(asked.allow)) {
    const name = key as PermissionName;
    checkItems(list, name, items, `allow-${name}`);
    const allowed = list.allow[name];
    if (items === true || allowed === true || !PATHS.includes(name)) continue;
    const folders = allowed!.map(real);
    for (const item of items) {
      checkItems({ ...list, allow: { [name]: folders } }, name, [real(item)], `allow-${name}`);
    }
  }
}

function checkItems(
  list: Permissions,
  name: PermissionName,
  items: true | readonly string[],
  key: string,
): void {
  try {
    narrow(list, { [name]: items } as PermissionsInit);
  } catch (cause) {
    const what = items === true ? "everything" : JSON.stringify(items.join(","));
    throw new BeyondList(key, `${what} is more than the server allows, which is ${listed(list)}`, { cause });
  }
}

/** Whether something may be written at an absolute path. */
export function mayWrite(list: Permissions, path: string, real: (path: string) => string): boolean {
  try {
    checkPermissions(list, { all: false, allow: { write: [path] }, deny: {} }, real);
    return true;
  } catch {
    return false;
  }
}

/**
 * Checks that variables may be set. Those that decide what a process runs must be listed by their whole names.
 *
 * @throws {BeyondList} when one may not
 */
export function checkVariables(list: Permissions, names: readonly string[]): void {
  if (list.all) return;
  const { env } = list.allow;
  for (const name of names) {
    checkItems(list, "env", [name], `env:${name}`);
    if (POWERFUL.test(name) && !(Array.isArray(env) && env.includes(name))) {
      throw new BeyondList(`env:${name}`, "the server's list would have to name this variable itself");
    }
  }
}

/** A list in words. */
export function listed({ all, allow, deny }: Permissions): string {
  if (all) return "everything";
  const words = (verb: string, lists: Permissions["allow"]): string[] =>
    Object.entries(lists).map(([name, items]) =>
      `${verb}-${name}${items === true ? "" : `=${items.join(",")}`}`
    );
  return [...words("allow", allow), ...words("deny", deny)].join(" ") || "nothing";
}
