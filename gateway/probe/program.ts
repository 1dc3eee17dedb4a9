/** `popen`, `command`, `podman`, `docker` and `kubectl`: the program, the container, the shell in it, and Deno there. */

import { DENO_ON_PATH, quoteWord } from "../../xspec/mod.ts";
import { prefixOf } from "../launch.ts";
import { ownDeno } from "../process/own_deno.ts";
import { OLDEST_DENO, oldestLocalDeno } from "../process/versions.ts";
import type { Version } from "../process/versions.ts";
import { CommandReach } from "../shell/command.ts";
import { platform } from "../shell/provision.ts";
import { ask } from "./ask.ts";
import { readEngine } from "./engine_words.ts";
import { failed, well } from "./finding.ts";
import type { Facts, Finding } from "./finding.ts";
import { lookLine, readLook } from "./look.ts";
import { askThere, denoWords } from "./place.ts";
import type { Place, Probed } from "./place.ts";

/** Lines of a log, which say what the last line says, for programmers. */
const KUBECTL_LOG = /^[EWI]\d{4} [\d:.]+ .*\n/gm;

/** Whether the program runs what it is given in a container. */
export function hasContainer(type: string): boolean {
  return type === "podman" || type === "docker" || type === "kubectl";
}

/** Looks for Deno on this machine, or where another gateway runs. */
export async function* probePopen(place: Place): AsyncGenerator<Probed> {
  const { hop } = place;
  const usual = hop === undefined ? ownDeno() : hop.executable ?? "deno";
  const oldest = hop === undefined ? oldestLocalDeno() : OLDEST_DENO;
  yield* looking(place, [], { usual, oldest, facts: hop === undefined ? { local: "yes" } : {} });
}

/** Walks the steps, up to the first that fails. */
export async function* probeCommand(place: Place): AsyncGenerator<Probed> {
  const prefix = prefixOf(place.spec);
  const program = prefix[0]!;
  const { type } = place.spec;
  const facts = {
    program,
    prefix: prefix.map(quoteWord).join(" "),
    engine: hasContainer(type) ? type : program.replace(/^.*\//, ""),
    container: prefix.findLast((word) => word !== "--")!,
  };
  const script = `${DENO_ON_PATH};command -v "$1"`;
  const found = await askThere(place, ["sh", "-c", script, "sh", program]);
  const path = found.stdout.trim();
  const missing = found.late
    ? failed("late", `the look for "${program}" does not end`, { facts })
    : failed("no-program", `there is no program "${program}"`, { facts });
  yield ["program", path === "" ? missing : well(path)];
  if (path !== "") yield* looking(place, prefix, { usual: "deno", oldest: OLDEST_DENO, facts });
}

interface Usual {
  readonly usual: string;
  readonly oldest: Version;
  readonly facts: Facts;
}

/** Has a shell look for Deno. */
async function* looking(
  place: Place,
  prefix: readonly string[],
  { usual, oldest, facts }: Usual,
): AsyncGenerator<Probed> {
  const { spec, starter, signal, timeout } = place;
  const look = {
    deno: denoWords(spec, usual),
    oldest,
    provision: spec.provision ? platform() : undefined,
    facts,
  };
  const reach = new CommandReach(prefix, starter);
  const answer = await ask({ open: (limit) => reach.open(limit), input: lookLine(look), signal, timeout });
  const { shell, deno } = readLook(look, answer);
  const words = answer.stderr.replace(KUBECTL_LOG, "").trim();
  const said: Partial<Finding> = shell.state !== "failed" || words === "" ? {} : {
    words: [shell.words ?? "", words].filter((text) => text !== "").join("\n"),
  };
  const meaning = shell.state === "failed" ? readEngine(words) : undefined;
  // A command may be that of an engine, too.
  if (hasContainer(spec.type) || meaning !== undefined) {
    if (meaning !== undefined && meaning.trouble !== "no-shell") {
      yield ["container", failed(meaning.trouble, meaning.found, { words, facts })];
      return;
    }
    yield ["container", well(facts.container!, 0)];
    if (meaning !== undefined) {
      yield ["shell", failed(meaning.trouble, meaning.found, { words, facts })];
      return;
    }
  }
  yield ["shell", { facts, ...shell, ...said }];
  if (deno !== undefined) yield ["deno", { facts, ...deno }];
}
