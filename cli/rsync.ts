/** `execnet rsync`: copies a folder to any number of targets. */

import { RSync, type RSyncOptions, type RSyncProgress, type RSyncResult } from "../mod.ts";
import type { Row } from "./bar.ts";
import { amount } from "./units.ts";
import type { Command, Given, Option } from "./command.ts";
import { connectEach, CONNECTION, startingNote } from "./connections.ts";
import { explain } from "./explain.ts";
import { EXIT, UsageError } from "./failure.ts";
import { exclusion } from "./exclude.ts";
import { json } from "./json.ts";
import { JSON_OUTPUT } from "./options.ts";
import { Progress } from "./progress.ts";
import { ERROR_SCREEN } from "./screen.ts";
import { readTargets, type Target } from "./target.ts";

/** So many errors of a target are told. */
const MOST_ERRORS = 20;

const OPTIONS: readonly Option[] = [
  { name: "delete", tells: "remove what the source does not have, but for what --exclude leaves out" },
  { name: "exclude", short: "x", value: "GLOB", repeatable: true, tells: "leave these out" },
  {
    name: "checksum",
    short: "c",
    tells: "compare the content of files whose size and time are the same, too",
  },
  { name: "compress", short: "z", tells: "compress what is sent; by default where the way is slow" },
  {
    name: "links",
    value: "HOW",
    tells: "symbolic links: rewrite (the default: links into the source lead into the copy), keep, or follow",
  },
  { name: "dry-run", short: "n", tells: "change nothing, and tell what would be done" },
  { name: "verbose", short: "v", tells: "print each file that is sent, in place of a progress bar" },
  JSON_OUTPUT,
];

/** The command. */
export const rsync: Command = {
  name: "rsync",
  summary: "copies a folder to any number of gateways, later only what has changed",
  usage: "<source> <spec>:<folder>... [options]",
  description:
    `Makes each folder a copy of the source, a folder of this machine. Nothing but Deno is needed there. Where the source
is a file, what stands in place of the folder is the path of its copy.

A target is split at its last colon; in the folder, %3A stands for a colon and %25 for a percent sign. A relative
folder begins at the gateway's working directory, which for ssh is the home. A spec that says nothing of reading
or writing is allowed both in that folder, or in the one that the copy of a file is in; symbolic links need
allow-read and allow-write without a list, which you have to say.

A GLOB without a slash fits names, one with a slash fits paths from the source on; "**" stands for any folders,
and a slash at the end means folders only.`,
  options: [...OPTIONS, ...CONNECTION],
  examples: [
    ["execnet rsync site ssh=web1:/srv/site ssh=web2:/srv/site --delete", "two hosts at once"],
    [
      "execnet rsync . 'ssh=build1//provision:work/project' -x node_modules/ -x '*.log'",
      "to a host without Deno",
    ],
    [
      "execnet rsync data socket=10.0.0.7:8888//tls:/srv/data --dry-run --json",
      "what would be done, for a script",
    ],
  ],
  words: [2, Infinity],
  async run(given, terminal): Promise<number> {
    const [source, ...words] = given.words;
    if (source === "") throw new UsageError("The source is empty: it is a folder or a file", "rsync");
    const options = optionsOf(given, source!);
    const targets = readTargets(words, (await Deno.stat(source!)).isFile);
    if (targets.some(({ spec }) => (spec.nodes ?? 1) > 1)) {
      throw new UsageError("A target of several nodes needs a spec for each of them", "rsync");
    }
    const states = new Map<string, RSyncProgress>();
    const shown = terminal.errorIsTerminal && !given.flag("verbose");
    let began = performance.now();
    using progress = new Progress(
      shown ? ERROR_SCREEN : undefined,
      () =>
        states.size > 0 ? rowsOf([...states.values()], performance.now() - began) : [{
          label: "rsync",
          done: 0,
          unit: "bytes",
          note: startingNote(targets.length),
          elapsed: performance.now() - began,
        }],
    );
    progress.draw();
    const tell = (line: string): void => {
      progress.hide();
      terminal.tell(line);
    };
    const specs = targets.map(({ spec }) => spec);
    await using connections = await connectEach(given, terminal, specs, shown ? tell : undefined);
    const { made } = connections;
    const copy = new RSync(source!, {
      ...options,
      ...(shown ? { onProgress: (state) => states.set(state.gateway.id, state) } : {}),
    });
    for (const [i, one] of made.entries()) {
      if (one.status === "rejected") continue;
      copy.addTarget(one.value, targets[i]!.dest, { delete: given.flag("delete") });
    }
    began = performance.now();
    const results = await copy.send({ signal: terminal.signal, raises: false });
    progress.end();
    const ms = performance.now() - began;
    const copied = results.values();
    let failed = false;
    for (const [i, one] of made.entries()) {
      const target = targets[i]!;
      const result = one.status === "fulfilled" ? copied.next().value : undefined;
      const errors = one.status === "fulfilled" ? result!.errors : [one.reason];
      const line = given.flag("json")
        ? json({ target: target.word, ...factsOf(result, ms), errors: errors.map(messageOf) })
        : result && summary(result, target, ms, given.flag("dry-run"));
      if (line !== undefined) await terminal.write(`${line}\n`);
      report(errors, target, (line) => terminal.tell(line));
      failed ||= errors.length > 0;
    }
    return results.length === 0 ? EXIT.unreachable : failed ? EXIT.failed : EXIT.ok;
  },
};

function optionsOf(given: Given, source: string): RSyncOptions {
  const links = given.text("links") as RSyncOptions["links"];
  if (links !== undefined && !["rewrite", "keep", "follow"].includes(links)) {
    throw new UsageError(`The option --links takes rewrite, keep or follow, not "${links}"`, "rsync");
  }
  if (given.flag("verbose") && given.flag("json")) {
    throw new UsageError(
      "The options --verbose and --json both write to standard output: choose one",
      "rsync",
    );
  }
  const globs = given.texts("exclude");
  const excluded = exclusion(globs);
  const root = absolute(source);
  return {
    checksum: given.flag("checksum"),
    dryRun: given.flag("dry-run"),
    verbose: given.flag("verbose"),
    ...(links === undefined ? {} : { links }),
    ...(given.flag("compress") ? { compress: true } : {}),
    ...(globs.length === 0
      ? {}
      : { filter: (path, { isDirectory }) => !excluded(path.slice(root.length), isDirectory) }),
  };
}

/** The source as the filter sees it, with a slash at the end. */
function absolute(source: string): string {
  const parts: string[] = [];
  for (const part of (source.startsWith("/") ? source : `${Deno.cwd()}/${source}`).split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return parts.length === 0 ? "/" : `/${parts.join("/")}/`;
}

function rowsOf(states: readonly RSyncProgress[], elapsed: number): Row[] {
  return states.map(({ gateway, bytes, bytesTotal, files, filesTotal, listed, bytesSent }) => ({
    label: states.length === 1 ? "rsync" : gateway.id,
    done: bytes,
    total: listed ? bytesTotal : undefined,
    unit: "bytes",
    note: `${files}${listed ? ` of ${filesTotal}` : ""} files, ${amount(bytesSent, "bytes")} sent`,
    elapsed,
  }));
}

/** Of a target that was never reached nothing is known. */
function factsOf(result: RSyncResult | undefined, ms: number): Record<string, unknown> {
  if (result === undefined) return { gateway: null };
  const { gateway, errors: _, ...counts } = result;
  return { gateway: gateway.id, ...counts, ms: Math.round(ms) };
}

function messageOf(error: unknown): string {
  return explain(error).message;
}

function summary(result: RSyncResult, { word }: Target, ms: number, dry: boolean): string {
  const { files, transferred, deleted, bytesTotal, bytesSent, errors } = result;
  const facts = [
    `${files} ${files === 1 ? "file" : "files"} (${amount(bytesTotal, "bytes")})`,
    `${transferred} ${dry ? "would be sent" : `sent (${amount(bytesSent, "bytes")})`}`,
    `${deleted} ${dry ? "would be removed" : "removed"}`,
    `${(ms / 1000).toFixed(1)} s`,
  ];
  if (errors.length > 0) facts.push(`${errors.length} ${errors.length === 1 ? "error" : "errors"}`);
  return `${word}: ${facts.join(", ")}`;
}

/** Tells what went wrong on a target, and once what to do about it. */
function report(errors: readonly unknown[], { word }: Target, tell: (line: string) => void): void {
  const told = new Set<string>();
  for (const error of errors.slice(0, MOST_ERRORS)) {
    const { message, advice } = explain(error);
    tell(`execnet: ${word}: ${message}`);
    if (advice !== "") told.add(advice);
  }
  if (errors.length > MOST_ERRORS) tell(`execnet: ${word}: and ${errors.length - MOST_ERRORS} errors more`);
  for (const advice of told) tell(`  ${advice}`);
}
