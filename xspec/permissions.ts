/** Deno's permissions as spec keys, as a structure, and narrowed. */

/** What `--allow-sys=` of Deno 2.9.6 takes: measured, since its documentation and types name others. */
const SYS_NAMES = (
  "hostname osRelease osUptime loadavg networkInterfaces systemMemoryInfo uid gid username userInfo cpus " +
  "homedir getegid statfs getPriority setPriority"
).split(" ");

/** The kinds of permission that Deno knows. */
export type PermissionName = "read" | "write" | "net" | "env" | "run" | "sys" | "ffi" | "import";

/** Every kind of permission, in the order of Deno's own help. */
export const PERMISSION_NAMES: readonly PermissionName[] = [
  "read",
  "write",
  "import",
  "net",
  "env",
  "sys",
  "run",
  "ffi",
];

/** For some kinds, either everything of the kind (`true`) or a list, never empty. */
export type PermissionLists = Readonly<Partial<Record<PermissionName, true | readonly string[]>>>;

/** What a program may do. As for Deno's flags: what is not allowed is denied, and `deny` beats `allow`. */
export interface Permissions {
  /** Everything is allowed, but for what `deny` says. `allow` is empty then. */
  readonly all: boolean;
  /** What is allowed. */
  readonly allow: PermissionLists;
  /** What is denied though it is allowed. */
  readonly deny: PermissionLists;
}

/**
 * The narrower permissions that a caller asks for. What is absent is not granted; `"inherit"` keeps
 * what there is.
 */
export type PermissionsInit =
  | "none"
  | "inherit"
  | Readonly<Partial<Record<PermissionName, boolean | "inherit" | readonly string[] | undefined>>>;

/** Receives what is wrong with a key, and throws it. */
type Fail = (key: string, problem: string) => never;

/** Whether a key would be read as a permission, well spelt or not. */
export function isPermissionKey(key: string): boolean {
  return /^(allow|deny)/i.test(key);
}

/**
 * Reads the permission keys among a spec's entries.
 *
 * @param entries The spec's keys and values, decoded.
 * @param fail Called with the first key that is wrong.
 * @returns What the keys say.
 */
export function readPermissions(
  entries: Iterable<readonly [string, string | true]>,
  fail: Fail,
): Permissions {
  let all = false;
  let other = "";
  const lists: Record<"allow" | "deny", Partial<Record<PermissionName, true | readonly string[]>>> = {
    allow: {},
    deny: {},
  };
  for (const [key, value] of entries) {
    if (!isPermissionKey(key)) continue;
    if (key === "allow-all") {
      if (value !== true) fail(key, "takes no value");
      all = true;
      continue;
    }
    const [verb, name] = key.split(/-(.*)/s) as ["allow" | "deny", PermissionName];
    if (!(verb in lists && PERMISSION_NAMES.includes(name))) {
      fail(key, `is no permission: ${suggestion(key)}`);
    }
    if (value !== true) {
      for (const item of value.split(",")) {
        const problem = itemProblem(name, item);
        if (problem !== undefined) fail(key, `${problem}: ${JSON.stringify(item)}`);
      }
    }
    lists[verb][name] = value === true ? true : value.split(",");
    if (verb === "allow") other ||= key;
  }
  if (all && other !== "") fail(other, "conflicts with allow-all, which allows everything");
  return { all, ...lists };
}

/** What Deno would refuse in an item of a permission list, if anything. */
function itemProblem(name: PermissionName, item: string): string | undefined {
  if (item === "") return "has an empty item";
  if (item.includes("\0")) return "has an item with NUL";
  if (item.includes(",")) return "cannot hold an item with a comma";
  if (name === "sys" && !SYS_NAMES.includes(item)) return `knows only ${SYS_NAMES.join(", ")}, not`;
  if (name === "env" && item.includes("=")) return "has an item that cannot be a variable's name";
  if ((name === "net" || name === "import") && !isHost(name, item)) {
    return "has an item that is not host, host:port, [ipv6]:port, *.domain or network/bits";
  }
  return undefined;
}

/** Whether Deno takes the item for a host. URLs, spaces, bare IPv6 and bad ports it does not. */
function isHost(name: "net" | "import", item: string): boolean {
  if (/^(unix|vsock):/.test(item)) return /^(unix:\/|vsock:\d{1,9}:\d{1,9}$)/.test(item);
  const [, host, port] = /^(.*?)(?::(\d{1,5}))?$/s.exec(item)!;
  if (Number(port ?? 0) > 65535) return false;
  if (host === "") return name === "net" && port !== undefined; // ":80" is port 80 of this machine
  if (host!.startsWith("[")) return URL.canParse(`http://${host}/`) && host!.endsWith("]");
  const [, bits] = /^\d{1,3}(?:\.\d{1,3}){3}\/(\d{1,2})$/.exec(host!) ?? [];
  if (bits !== undefined) return Number(bits) <= 32 && URL.canParse(`http://${host!.split("/")[0]}/`);
  return /^(\*\.)?[\w-]+(\.[\w-]+)*\.?$/.test(host!);
}

/** "did you mean", or, where nothing is near, every name there is. */
function suggestion(key: string): string {
  const verb = /^allow/i.test(key) ? "allow" : "deny";
  const names = PERMISSION_NAMES.map((name) => `${verb}-${name}`);
  if (verb === "allow") names.push("allow-all");
  const written = key.replace(/([a-z])([A-Z])/g, "$1-$2").toLowerCase().replaceAll("_", "-");
  const distances = names.map((name) => distance(written, name));
  const least = Math.min(...distances);
  if (least < 3) return `did you mean "${names[distances.indexOf(least)]}"?`;
  return `did you mean one of ${names.join(", ")}?`;
}

/** How many letters must be typed, deleted or replaced to turn one word into the other. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const above = row;
    row = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = above[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(above[j]! + 1, row[j - 1]! + 1, replaced));
    }
  }
  return row[b.length]!;
}

/**
 * Permissions narrowed to exactly what is asked for; what is denied stays denied.
 *
 * - A path must be one that is allowed or lie below one; `.` and `..` are resolved as text.
 * - A host must be allowed itself, or without its port. Other items must be allowed as they stand.
 *
 * @param base What there is. It should hold the names of the spec's `env:…` keys too: `withEnv`.
 * @param init What is asked for.
 * @param cwd The directory that relative paths of both start from; without it, a relative path is
 * never within an absolute one, nor the reverse.
 * @returns The narrower permissions.
 * @throws {RangeError} when more is asked for than there is.
 * @throws {TypeError} when `init` is not of its type.
 */
export function narrow(base: Permissions, init: PermissionsInit, cwd?: string): Permissions {
  if (init === "inherit") return base;
  const allow: Partial<Record<PermissionName, true | readonly string[]>> = {};
  if (init === "none") return { all: false, allow, deny: base.deny };
  if (typeof init !== "object" || init === null || Array.isArray(init)) {
    throw new TypeError('Permissions must be "none", "inherit" or an object such as { read: ["/data"] }');
  }
  for (const [key, asked] of Object.entries(init)) {
    const name = key as PermissionName;
    if (!PERMISSION_NAMES.includes(name)) {
      throw new TypeError(`"${key}" is no permission: there are ${PERMISSION_NAMES.join(", ")}`);
    }
    const there = base.all ? true : base.allow[name];
    if (asked === undefined || asked === false) continue;
    else if (asked === "inherit") {
      if (there !== undefined) allow[name] = there;
    } else if (asked === true) {
      if (there !== true) throw wider(name, "everything", there);
      allow[name] = true;
    } else if (Array.isArray(asked)) {
      for (const item of asked) {
        const problem = typeof item === "string" ? itemProblem(name, item) : "has an item that is not text";
        if (problem !== undefined) {
          throw new TypeError(`Cannot narrow permissions: "${name}" ${problem}: ${JSON.stringify(item)}`);
        }
        const covered = there === true || there?.some((allowed) => covers(name, allowed, item, cwd));
        if (!covered) throw wider(name, JSON.stringify(item), there);
      }
      if (asked.length > 0) allow[name] = [...asked];
    } else throw new TypeError(`Permission "${key}" must be true, false, "inherit" or a list of text`);
  }
  return { all: false, allow, deny: base.deny };
}

/** The error for a wish that goes beyond what there is. */
function wider(name: PermissionName, asked: string, there: true | readonly string[] | undefined): RangeError {
  const state = there === undefined ? "nothing" : JSON.stringify(there);
  return new RangeError(
    `Cannot narrow permission "${name}" to ${asked}: only ${state} is allowed here (spec key "allow-${name}")`,
  );
}

/** Whether one allowed item allows another one. */
function covers(name: PermissionName, allowed: string, item: string, cwd?: string): boolean {
  if (allowed === item) return true;
  switch (name) {
    case "read":
    case "write":
    case "ffi": {
      const outer = normalPath(allowed, cwd);
      const path = normalPath(item, cwd);
      const rest = path.slice(outer.length);
      if (outer.startsWith("/") !== path.startsWith("/")) return false;
      return path.startsWith(outer) && !rest.startsWith("../");
    }
    case "net":
    case "import":
      if (/^(unix|vsock):/.test(item)) return false;
      return [item, item.replace(/:\d+$/, "")].some((host) => host.toLowerCase() === allowed.toLowerCase());
    case "env":
      return allowed.endsWith("*") && item.startsWith(allowed.slice(0, -1));
    default:
      return false;
  }
}

/** A path as text that ends in a slash, without `.`, `..` and doubled slashes where they can be resolved. */
function normalPath(path: string, cwd?: string): string {
  const windows = /^([A-Za-z]:[\\/]|\\\\)/.test(path); // where case and the kind of slash mean nothing
  if (windows) path = path.replaceAll("\\", "/").toLowerCase();
  const absolute = windows || path.startsWith("/");
  if (!absolute && cwd !== undefined) return normalPath(`${cwd}/${path}`);
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.length > 0 && parts.at(-1) !== "..") parts.pop();
    else if (!absolute) parts.push(part);
  }
  return (absolute ? "/" : "") + parts.map((part) => part + "/").join("");
}
