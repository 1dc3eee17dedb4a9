/** What a process may really do, beside what its spec says: what is to be asked, and what the answers mean. Pure. */

import type { PermissionName, Permissions } from "../../mod.ts";

/** A question for `Deno.permissions.query`, as data. */
export interface Question {
  /** The permission as a spec writes it, such as `allow-read=data`. */
  readonly key: string;
  readonly name: PermissionName;
  /** What of it; without one, all of it. */
  readonly item?: string;
  /** What the spec says. */
  readonly allowed: boolean;
}

/** What the process answers to a question. */
export interface Reply {
  /** What Deno says: `granted`, `prompt` or `denied`; `unknown` where it cannot be asked for that. */
  readonly state: string;
  /** Whether a part of it is denied. */
  readonly partial: boolean;
  /** For paths: what it is over there. */
  readonly path?: string;
  /** Whether there is something; undefined where it may not be looked. */
  readonly exists?: boolean;
}

/** What else the process tells. */
export interface Inside {
  readonly cwd: string;
  readonly executable: string;
  /** Whether it may replace its own executable. */
  readonly mayReplace: boolean;
  readonly replies: readonly Reply[];
}

/** What the permissions have come to. */
export interface Verdict {
  readonly state: "ok" | "warning" | "failed";
  readonly found: string;
  readonly advice: readonly string[];
}

const NAMES: readonly PermissionName[] = ["read", "write", "net", "env", "run", "sys", "ffi", "import"];
const PATHS: ReadonlySet<PermissionName> = new Set(["read", "write", "ffi"]);

/** Programs that run what they are told: who may start one of them may do everything. */
const INTERPRETERS =
  /(^|\/)(sh|bash|dash|zsh|fish|csh|ksh|busybox|env|xargs|find|awk|sed|vi|vim|python\d*|perl|ruby|node|deno|bun|npx|npm|php|lua|make|git|ssh|sudo|su|docker|podman|systemd-run|nice|timeout|setsid|nohup|tar|rsync)$/;

/** What a process is to be asked. */
export function questionsOf({ all, allow, deny }: Permissions): Question[] {
  const questions: Question[] = [];
  for (const name of NAMES) {
    const list = all ? true : allow[name];
    const denied = deny[name];
    if (Array.isArray(list)) {
      for (const item of list) {
        questions.push({ key: `allow-${name}=${item}`, name, item, allowed: denied !== true });
      }
    } else questions.push({ key: `allow-${name}`, name, allowed: list === true && denied !== true });
    if (Array.isArray(denied)) {
      for (const item of denied) questions.push({ key: `deny-${name}=${item}`, name, item, allowed: false });
    }
  }
  return questions;
}

/** What the answers mean. */
export function judge(permissions: Permissions, questions: readonly Question[], inside: Inside): Verdict {
  const missing: string[] = [];
  const beyond: string[] = [];
  const paths: string[] = [];
  for (const [at, question] of questions.entries()) {
    const reply = inside.replies[at]!;
    const { key, name, item, allowed } = question;
    if (reply.state === "unknown") continue;
    const granted = reply.state === "granted";
    if (allowed && !granted) missing.push(key);
    // A variable of the spec is readable, and a kind of which a part is allowed is asked for by its items.
    if (!allowed && granted) beyond.push(key.replace(/^deny-/, "allow-"));
    if (allowed && granted && item !== undefined && PATHS.has(name)) {
      paths.push(...pathNotes(question, reply));
    }
  }
  const advice = [
    ...missing.map((key) =>
      `The process does not have ${key}, though the spec asks for it: what starts it narrows it`
    ),
    ...beyond.map((key) =>
      `The process has ${key}, which the spec does not give: deno= or the program around it widens it`
    ),
    ...paths,
    ...wideNotes(permissions, inside),
  ];
  const found = [allowedText(permissions), deniedText(permissions)].filter((text) => text !== "").join("; ");
  const bad = missing.length > 0 || beyond.length > 0;
  return { state: bad ? "failed" : advice.length > 0 ? "warning" : "ok", found, advice };
}

function allowedText({ all, allow, deny }: Permissions): string {
  const denied = Object.entries(deny).map(([name, list]) =>
    list === true ? `deny-${name}` : `deny-${name}=${list}`
  );
  if (all) return ["everything", ...denied].join(" ");
  const allowed = Object.entries(allow).map(([name, list]) => list === true ? name : `${name}=${list}`);
  return allowed.length === 0 ? "none: it may compute, and nothing else" : [...allowed, ...denied].join(" ");
}

function deniedText({ all, allow }: Permissions): string {
  const without = all ? [] : NAMES.filter((name) => allow[name] === undefined);
  return without.length === 0 || without.length === NAMES.length ? "" : `not ${without.join(", ")}`;
}

/** What a path in the spec is over there, where that is not what it looks like. */
function pathNotes({ key, item }: Question, { path, exists }: Reply): string[] {
  if (item!.startsWith("~")) return [`${key}: Deno does not know "~"; write the full path`];
  if (exists === false) return [`${key}: there is no ${path} over there`];
  return item!.startsWith("/") || path === undefined ? [] : [`${key} is ${path} over there`];
}

/** What is wider than it looks. */
function wideNotes({ all, allow, deny }: Permissions, { mayReplace, executable }: Inside): string[] {
  if (all) return ["allow-all is everything that the user there may do"];
  const notes: string[] = [];
  const run = deny.run === true ? undefined : allow.run;
  if (run === true) {
    notes.push("allow-run is everything: programs that it starts are not bound by any permission");
  } else {
    const wide = run?.filter((program) => INTERPRETERS.test(program)) ?? [];
    if (wide.length > 0) {
      notes.push(
        `allow-run=${wide.join(",")} is everything: that runs what it is told, bound by no permission`,
      );
    }
  }
  if (allow.ffi !== undefined) notes.push("allow-ffi is everything: native code is bound by no permission");
  if (allow.write === true && run !== true) {
    notes.push("allow-write without a list is as much as everything: what others run can be replaced");
  } else if (mayReplace) {
    notes.push(
      `allow-write covers ${executable}, the Deno that others run: leave that out, by deny-write=${executable}`,
    );
  }
  if (allow.read === true) {
    notes.push("allow-read without a list covers keys, tokens and other programs' environments");
  }
  if (allow.env === true) {
    notes.push("allow-env without a list covers every secret in the environment: name the variables");
  }
  if (allow.import !== undefined && allow.import !== true) {
    notes.push("allow-import with a list opens npm as well: Deno has no list for that");
  }
  return notes;
}
