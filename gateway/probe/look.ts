/** What a shell elsewhere says of itself and of Deno there. Pure. */

import { DENO_ON_PATH, quoteWord } from "../../xspec/mod.ts";
import { isOlder } from "../process/versions.ts";
import type { Version } from "../process/versions.ts";
import { failed, well } from "./finding.ts";
import type { Facts, Finding } from "./finding.ts";

/** What is to be looked for. */
export interface LookPlan {
  /** The words of Deno's command. */
  readonly deno: readonly string[];
  /** The oldest version that will do. */
  readonly oldest: Version;
  /** This machine's platform as `uname -sm` says it, where its Deno may be brought there. */
  readonly provision?: string | undefined;
  /** Whether it is reached by a login, whose shell may be any. */
  readonly login?: boolean;
  /** What advice has to name. */
  readonly facts: Facts;
}

/** What a shell has said, as far as it matters here. */
export interface ShellAnswer {
  readonly code: number | undefined;
  readonly stdout: string;
  readonly late: boolean;
  at(pattern: RegExp): number | undefined;
}

/** What the two steps have come to; Deno only where there is a shell. */
export interface Look {
  readonly shell: Finding;
  readonly deno?: Finding;
}

/** No login prints these; the line that asks for them is not them, where a terminal repeats it. */
const BEGIN = "execnet begins";
const END = "execnet ends";

/** How much may come in place of a greeting, in bytes. */
const MAX_NOISE = 64 * 1024;

/** How much of what a login prints is shown. */
const SHOWN_NOISE = 200;

/** The line of shell that asks. Deno is looked for where gateways look for it. */
export function lookLine({ deno }: LookPlan): string {
  const words = deno.map(quoteWord).join(" ");
  return [
    `printf '\\n%s begins\\n' execnet`,
    `printf 'shell=%s\\n' "$SHELL"`,
    `printf 'platform=%s\\n' "$(uname -sm)"`,
    `${DENO_ON_PATH};export PATH`,
    `printf 'path=%s\\n' "$(command -v ${quoteWord(deno[0]!)})"`,
    `printf 'version=%s\\n' "$(${words} --version </dev/null 2>&1|sed -n 1,5p)"`,
    `printf '%s ends\\n' execnet`,
  ].join(";") + "\n";
}

/** Reads what it has said. */
export function readLook(plan: LookPlan, answer: ShellAnswer): Look {
  const { stdout, late } = answer;
  const begun = stdout.indexOf(`\n${BEGIN}`);
  if (begun < 0) {
    const said = shown(stdout);
    return {
      shell: late
        ? failed("silent", "it runs nothing, and does not end", { words: said, facts: plan.facts })
        : failed("no-shell", `there is no shell that runs a command: it ended with code ${answer.code}`, {
          words: said,
          facts: plan.facts,
        }),
    };
  }
  const text = stdout.slice(begun).replaceAll("\r", "");
  const value = (name: string): string => new RegExp(`^${name}=(.*)$`, "m").exec(text)?.[1]?.trim() ?? "";
  const shell = shellFinding(plan, answer, { shell: value("shell"), noise: stdout.slice(0, begun) });
  const version = new RegExp(`^version=([^]*?)(?:\\n${END}|$)`, "m").exec(text)?.[1]?.trim() ?? "";
  if (!text.includes(`\n${END}`)) {
    const words = { words: version, facts: plan.facts };
    return {
      shell,
      deno: late
        ? failed("silent", `"${plan.deno.join(" ")} --version" does not end`, words)
        : failed("no-shell", "the shell ended while it looked for Deno", words),
    };
  }
  const deno = denoFinding(plan, { path: value("path"), version, platform: value("platform") });
  const [begin, end] = [answer.at(/\nexecnet begins/), answer.at(/\nexecnet ends/)];
  const took = begin === undefined || end === undefined ? {} : { ms: end - begin };
  return { shell, deno: { ...deno, ...took } };
}

function shellFinding(
  { facts, login }: LookPlan,
  { at }: ShellAnswer,
  { shell, noise }: { shell: string; noise: string },
): Finding {
  const ms = at(/\nexecnet begins/);
  const took = ms === undefined ? {} : { ms };
  const name = login === true && shell !== "" ? shell : "sh";
  if (noise.length > MAX_NOISE) {
    return failed("much-noise", `${name} prints ${noise.length} bytes on stdout before it runs a command`, {
      words: shown(noise),
      facts,
      ...took,
    });
  }
  if (noise.trim() === "") return { ...well(name), ...took };
  return {
    state: "warning",
    trouble: "noise",
    found: `${name}, which prints ${noise.length} bytes on stdout first`,
    words: shown(noise),
    facts,
    ...took,
  };
}

function denoFinding(
  { deno, oldest, provision, facts }: LookPlan,
  { path, version, platform }: { path: string; version: string; platform: string },
): Finding {
  const command = deno.join(" ");
  const there = { ...facts, deno: deno.map(quoteWord).join(" "), path, platform };
  if (path === "") {
    if (provision === undefined) {
      return failed("no-deno", `there is no "${deno[0]}" on PATH or in ~/.deno/bin`, { facts: there });
    }
    if (provision === platform) return well(`none; this machine's will be brought there (${platform})`);
    return failed("platform", `there is none, and this machine's is for ${provision}, not for ${platform}`, {
      facts: { ...there, here: provision },
    });
  }
  const [, text, major, minor] = /^deno ((\d+)\.(\d+)\.\S+)/m.exec(version) ?? [];
  if (text === undefined) {
    return BROKEN.test(version) || startless(deno[0]!).test(version)
      ? failed("deno-broken", `"${path}" does not run there (${platform})`, { words: version, facts: there })
      : failed("not-deno", `"${command} --version" does not say that it is Deno`, {
        words: version,
        facts: there,
      });
  }
  if (isOlder([Number(major), Number(minor)], oldest)) {
    const found = `Deno ${text} at ${path} is too old: ${oldest.join(".")} is needed`;
    return failed("old-deno", found, { facts: { ...there, version: text } });
  }
  return well(`Deno ${text} at ${path} (${platform})`);
}

/** What is said of an executable that is for something else. */
const BROKEN = /GLIBC|exec format error|cannot execute|error while loading shared|illegal instruction/i;

/** What shells say of a program that is there and cannot be started, e.g. because its loader is not. */
function startless(program: string): RegExp {
  return new RegExp(`${RegExp.escape(program)}: (not found|no such file|permission denied)`, "i");
}

function shown(noise: string): string {
  const text = noise.trim();
  return text.length > SHOWN_NOISE ? `${text.slice(0, SHOWN_NOISE)}…` : text;
}
