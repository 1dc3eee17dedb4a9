/**
 * Fuzzes the parser of specs: a text is a spec or an XSpecError. A spec reads its own text back, allows what is written
 * in it and nothing else, also as Deno's flags and a Worker's options; and no message shows the value of a variable.
 *
 * An input is a byte that says how the text is written (UTF-8, or units of 16 bits, which may be lone surrogates), and
 * the text.
 */

import {
  narrow,
  permissionFlags,
  type PermissionLists,
  type Permissions,
  workerPermissions,
  XSpec,
  XSpecError,
} from "../../xspec/mod.ts";
import { PERMISSION_NAMES } from "../../xspec/permissions.ts";
import type { Random } from "../helpers/seeded.ts";
import { concat } from "../helpers/sessions.ts";
import { blurred, hold } from "./target.ts";
import type { Outcome, Target } from "./target.ts";

/** What no message may show. */
const SECRET = "s3cr3t";

const utf8 = new TextDecoder();
const encoder = new TextEncoder();

function textOf(input: Uint8Array): string {
  const bytes = input.subarray(1);
  if ((input[0] ?? 0) < 200) return utf8.decode(bytes);
  let text = "";
  for (let i = 0; i + 1 < bytes.length; i += 2) text += String.fromCharCode(bytes[i]! | bytes[i + 1]! << 8);
  return text;
}

function run(input: Uint8Array): Outcome {
  const text = textOf(input);
  let spec: XSpec;
  try {
    spec = new XSpec(text);
  } catch (error) {
    hold(error instanceof XSpecError, `No XSpecError but ${error}`);
    hold(!hidesSecret(text) || !error.message.includes(SECRET), "A message shows the value of a variable");
    return { kind: "XSpecError", feature: blurred(error.message.replace(/^Cannot use spec ".*": /s, "")) };
  }
  hold(String(spec) === text, "Another text than it was made from");
  readsBack(spec, text);
  const { permissions } = spec;
  checkPermissions(permissions, text);
  checkFlags(permissions, Object.keys(spec.env));
  checkWorker(permissions);
  hold(
    same(narrow(permissions, "none"), { all: false, allow: {}, deny: permissions.deny }),
    "Narrowed to nothing",
  );
  const kinds = [...Object.keys(permissions.allow), permissions.all, ...Object.keys(permissions.deny)];
  return { kind: "spec", feature: `${spec.type} ${kinds} ${spec.execmodel} ${Object.keys(spec.env).length}` };
}

/** Whether the secret is in the values of variables, and nowhere else. */
function hidesSecret(text: string): boolean {
  return text.split("//").every((part) => {
    const [key, ...value] = part.split("=");
    return !part.includes(SECRET) || value.length > 0 && key!.startsWith("env:") && !key!.includes(SECRET);
  });
}

/** With its text, and with one that is made anew, which a new id brings about. */
function readsBack(spec: XSpec, text: string): void {
  const again = new XSpec(String(spec));
  hold(
    again.equals(spec) && spec.equals(again),
    `It does not read its own text back: ${JSON.stringify(text)}`,
  );
  const { id } = spec;
  spec.id = id === "x/" ? "y%2F" : "x/";
  const changed = String(spec);
  const other = new XSpec(changed);
  hold(other.equals(spec) && other.id === spec.id, `It does not read ${JSON.stringify(changed)} back`);
  hold(same(other.permissions, spec.permissions), `Other permissions in ${JSON.stringify(changed)}`);
  hold(same(other.env, spec.env), `Other variables in ${JSON.stringify(changed)}`);
  spec.id = id;
}

/** The plain twin: what is written, part by part. */
function checkPermissions(permissions: Permissions, text: string): void {
  const written: { all: boolean; allow: Record<string, unknown>; deny: Record<string, unknown> } = {
    all: false,
    allow: {},
    deny: {},
  };
  for (const part of text.split("//")) {
    const match = /^(allow|deny)-([a-z]+)(=(.*))?$/s.exec(part);
    if (match === null) continue;
    const [, verb, name, , value] = match;
    if (name === "all") written.all = true;
    else {
      const items = value?.split(",").map((item) => item.replaceAll("%2F", "/").replaceAll("%25", "%"));
      written[verb as "allow"][name!] = items ?? true;
    }
  }
  hold(same(permissions, written), `It allows ${show(permissions)} where ${show(written)} is written`);
}

/** Each flag grants what is there, no more and no less. */
function checkFlags(permissions: Permissions, env: readonly string[]): void {
  const lists: { allow: Record<string, unknown>; deny: Record<string, unknown> } = { allow: {}, deny: {} };
  let all = false;
  let imports = true;
  for (const flag of permissionFlags(permissions, env)) {
    const [, verb, name, value] = /^--(allow|deny|no)-([a-z]+)(?:=(.*))?$/s.exec(flag) ?? [];
    hold(verb !== undefined, `${flag} is no flag of a permission`);
    if (verb === "no") {
      hold(["prompt", "remote", "npm"].includes(name!) && value === undefined, `The flag ${flag}`);
      if (name !== "prompt") imports = false;
    } else if (name === "all") all = true;
    else lists[verb as "allow"][name!] = value === undefined ? true : value.split(",");
  }
  hold(all === permissions.all, "--allow-all");
  const readable = (lists.allow.env ?? []) as true | string[];
  if (readable !== true) {
    const extra = readable.filter((item) => !wordsOf(permissions.allow, "env").includes(item));
    hold(extra.every((item) => env.includes(item)), `It may read ${extra}`);
    const own = readable.filter((item) => !extra.includes(item));
    if (own.length > 0) lists.allow.env = own;
    else delete lists.allow.env;
  }
  hold(
    same(lists.allow, permissions.allow),
    `Flags allow ${show(lists.allow)} for ${show(permissions.allow)}`,
  );
  hold(same(lists.deny, permissions.deny), `Flags deny ${show(lists.deny)} for ${show(permissions.deny)}`);
  const mayImport = permissions.all || permissions.allow.import !== undefined;
  hold(!imports || mayImport, "It may load code that it may not");
}

function wordsOf(lists: PermissionLists, name: "env"): readonly string[] {
  const list = lists[name];
  return list === undefined || list === true ? [] : list;
}

/** A Worker gets no more, or cannot be made. */
function checkWorker(permissions: Permissions): void {
  let options: ReturnType<typeof workerPermissions>;
  try {
    options = workerPermissions(permissions);
  } catch (error) {
    hold(error instanceof XSpecError, `No XSpecError but ${error}`);
    return;
  }
  if (options === "inherit") {
    hold(permissions.all, "It inherits everything");
    return;
  }
  for (const name of PERMISSION_NAMES) {
    const given = options[name];
    const allowed = permissions.all ? true : permissions.allow[name];
    if (given === false) continue;
    hold(allowed !== undefined && permissions.deny[name] !== true, `A Worker gets ${name}`);
    if (given === true || given === "inherit") hold(allowed === true || permissions.all, `All of ${name}`);
    else hold(same(given, allowed), `A Worker gets ${show(given)} of ${name}`);
  }
}

function same(a: unknown, b: unknown): boolean {
  return show(a) === show(b);
}

/** As text, with the names in one order. */
function show(value: unknown): string {
  return JSON.stringify(
    value,
    (_, inner) =>
      typeof inner === "object" && inner !== null && !Array.isArray(inner)
        ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => a < b ? -1 : 1))
        : inner,
  );
}

const PARTS = [
  "popen",
  "worker",
  "ssh=user@host",
  "ssh=-p 5000 'a b'",
  "socket=[::1]:8888",
  "socket",
  "installvia=gw0",
  "command=podman exec -i box",
  "slurm",
  "nodes=2",
  "time=1:00",
  "via=gw1",
  "tls",
  "deno=sudo -u ci deno",
  "provision",
  "chdir=/srv/data",
  "nice=5",
  "execmodel=process",
  "execmodel=main",
  "keepalive=0",
  "id=one",
  "memory=512M",
  `env:TOKEN=${SECRET}-${SECRET}`,
  "env:A=",
  "allow-all",
  "allow-read",
  "allow-read=/data,/srv",
  "allow-write=a",
  "allow-net=host:80,[::1]:80,*.example.org,10.0.0.0/8",
  "allow-env=A,B*",
  "allow-run=git",
  "allow-sys=hostname,uid",
  "allow-ffi",
  "allow-import=jsr.io",
  "deny-read=/etc",
  "deny-env",
  "deny-net=host",
  "other=%2F%25%2f",
];

function seeds(random: Random): Uint8Array[] {
  const texts = PARTS.map((part) =>
    part.match(/^(popen|worker|ssh|command|slurm)/) ? part : `popen//${part}`
  );
  for (let i = 0; i < 40; i++) {
    texts.push(
      ["popen", ...Array.from({ length: random.between(1, 5) }, () => random.pick(PARTS))].join("//"),
    );
  }
  const plain = texts.map((text) => concat(new Uint8Array([0]), encoder.encode(text)));
  const units = texts.slice(0, 10).map((text) =>
    new Uint8Array([200, ...[...text].flatMap((char) => [char.charCodeAt(0), 0])])
  );
  return [...plain, ...units];
}

/** Changes parts as wholes. */
function mutate(input: Uint8Array, random: Random, other: () => Uint8Array): Uint8Array {
  const parts = textOf(input).split("//");
  const at = random.below(parts.length);
  switch (random.below(5)) {
    case 0:
      parts.splice(at, 0, random.pick(PARTS));
      break;
    case 1:
      parts.splice(at, 1);
      break;
    case 2:
      parts.splice(random.below(parts.length + 1), 0, parts[at]!);
      break;
    case 3:
      parts[at] = random.pick(textOf(other()).split("//"));
      break;
    default:
      parts[at] += random.pick([
        "=",
        "%2F",
        "%25",
        "%252F",
        "/",
        ",",
        "\0",
        " ",
        "'",
        '"',
        "\\",
        "-",
        "A",
        "\n",
        "ü",
      ]);
  }
  const text = parts.join("//");
  if ((input[0] ?? 0) < 200) return concat(input.subarray(0, 1), encoder.encode(text));
  const units = Array.from(
    { length: text.length },
    (_, i) => [text.charCodeAt(i) & 255, text.charCodeAt(i) >> 8],
  );
  return new Uint8Array([200, ...units.flat()]);
}

/** The parser of specs. */
export const SPEC: Target = {
  name: "spec",
  share: 12,
  short: 5_000,
  maxBytes: 1_000,
  isAsync: false,
  memory: { base: 8 * 2 ** 20, factor: 4_000 },
  tokens: [
    ...PARTS,
    "//",
    "=",
    "allow-",
    "deny-",
    "env:",
    "%2F",
    "%25",
    "__proto__",
    "constructor",
    "-0",
    "1e3",
  ]
    .map((text) => encoder.encode(text)),
  seeds,
  mutate,
  run,
};
