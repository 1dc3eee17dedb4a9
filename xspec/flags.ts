/** Permissions as Deno wants them: flags of `deno run`, options of a Worker. */

import { XSpecError } from "./error.ts";
import { PERMISSION_NAMES, type PermissionName, type Permissions } from "./permissions.ts";

/** How one kind of permission is given to a Worker. */
export type WorkerPermission = boolean | "inherit" | string[];

/** What `new Worker(url, { type: "module", deno: { permissions } })` takes. */
export type WorkerPermissions = "inherit" | Record<PermissionName, WorkerPermission>;

/** What {@linkcode runFlags} needs of a spec. */
export interface RunFlagsSpec {
  /** What the process may do. */
  readonly permissions: Permissions;
  /** The environment that it gets, whose names it may read. */
  readonly env: Readonly<Record<string, string>>;
  /** The limit of its heap in bytes. */
  readonly memory?: number | undefined;
}

/**
 * Permissions to which reading some environment variables is added.
 *
 * @param permissions What is allowed without them.
 * @param names The variables. What the permissions deny stays denied.
 * @returns The wider permissions, or the same ones where nothing is missing.
 */
export function withEnv(permissions: Permissions, names: readonly string[]): Permissions {
  const { all, allow: { env = [] }, deny: { env: denied = [] } } = permissions;
  if (all || env === true || denied === true) return permissions;
  const missing = names.filter((name) =>
    !env.includes(name) &&
    !denied.some((item) => item === name || (item.endsWith("*") && name.startsWith(item.slice(0, -1))))
  );
  if (missing.length === 0) return permissions;
  return { ...permissions, allow: { ...permissions.allow, env: [...env, ...missing] } };
}

/**
 * The flags of `deno run` that grant exactly these permissions.
 *
 * - Nothing is ever asked at the terminal: `--no-prompt`.
 * - Unless importing is allowed, `--no-remote --no-npm` close every way to load code from elsewhere.
 *   Deno has no list for npm: `allow-import=host` opens that host and npm both.
 *
 * @param permissions What the process may do.
 * @param envNames Environment variables that it may read besides.
 * @returns The flags, each in one word.
 */
export function permissionFlags(permissions: Permissions, envNames: readonly string[] = []): string[] {
  const { all, allow, deny } = withEnv(permissions, envNames);
  const flags = ["--no-prompt"];
  if (all) flags.push("--allow-all");
  for (const [verb, lists] of [["allow", allow], ["deny", deny]] as const) {
    for (const name of PERMISSION_NAMES) {
      const list = lists[name];
      if (list !== undefined) flags.push(`--${verb}-${name}` + (list === true ? "" : `=${list.join(",")}`));
    }
  }
  const imports = all || allow.import !== undefined;
  if (!imports || deny.import === true) flags.push("--no-remote", "--no-npm");
  return flags;
}

/**
 * All flags of `deno run` that a spec asks for: its permissions and its heap limit.
 *
 * @param spec The spec.
 * @returns The flags, each in one word.
 */
export function runFlags(spec: RunFlagsSpec): string[] {
  const flags = permissionFlags(spec.permissions, Object.keys(spec.env));
  if (spec.memory !== undefined) {
    flags.push(`--v8-flags=--max-old-space-size=${Math.ceil(spec.memory / 2 ** 20)}`);
  }
  return flags;
}

/**
 * The options of a Worker that grant exactly these permissions.
 *
 * - A Worker cannot be denied a part of what it is allowed, unless its process is: `held.deny`.
 * - What equals the process's own is `"inherit"`, so that Deno need not resolve it a second time.
 * - `--no-remote` and `--no-npm` are the process's: Deno does not stop a Worker that imports from npm.
 * - A Worker of a process that denies a part can inherit the whole, but Deno refuses it a list with
 *   that part in it (`NotCapable`).
 *
 * @param permissions What the Worker may do.
 * @param envNames Environment variables that it may read besides.
 * @param held What the process that starts the Worker may do, where that is known.
 * @returns The options.
 * @throws {XSpecError} when a part of what is allowed is denied, and the process does not deny it.
 */
export function workerPermissions(
  permissions: Permissions,
  envNames: readonly string[] = [],
  held?: Permissions,
): WorkerPermissions {
  const { all, allow, deny } = withEnv(permissions, envNames);
  const options: [PermissionName, WorkerPermission][] = PERMISSION_NAMES.map((name) => {
    const list = all ? true : allow[name];
    const denied = deny[name];
    if (list === undefined || denied === true) return [name, false];
    if (denied !== undefined && !same(denied, held?.deny[name])) {
      const key = `deny-${name}`;
      throw new XSpecError(
        `Cannot start a worker with ${key}=${denied.join(",")}: Deno denies a Worker a whole kind only; ` +
          `leave allow-${name} out, or use a process`,
        `${key}=${denied.join(",")}`,
        key,
      );
    }
    if (all || same(list, held?.all ? true : held?.allow[name])) return [name, "inherit"];
    return [name, list === true ? true : [...list]];
  });
  if (all && options.every(([, option]) => option === "inherit")) return "inherit";
  return Object.fromEntries(options) as Record<PermissionName, WorkerPermission>;
}

/** Whether two lists say the same. */
function same(a: true | readonly string[], b: true | readonly string[] | undefined): boolean {
  if (a === true || b === true || b === undefined) return a === b;
  return a.length === b.length && a.every((item, i) => item === b[i]);
}
