/** What `--help` prints. */

import { optionsOf } from "./arguments.ts";
import type { Command, Option } from "./command.ts";
import type { Style } from "./style.ts";

/** The columns of a line at the most. */
const COLUMNS = 110;

/** The help of the whole command. */
export function overview(commands: readonly Command[], version: string, style: Style): string {
  return [
    `${
      style.bold("execnet")
    } ${version}: runs code behind gateways, with the permissions that the spec gives it`,
    "",
    `Usage: ${style.bold("execnet")} <command> [arguments] [options]`,
    "",
    ...table(commands.map(({ name, summary }) => [style.cyan(name), name.length, summary])),
    "",
    "execnet <command> --help shows its options and examples; execnet --version the version.",
    "",
    "A spec says what to start, and what the code there may do, which is nothing by itself:",
    ...table(
      ([
        ["popen//allow-read=/srv", "a process of this machine, which may read a folder"],
        ["ssh=user@host//provision", "a host, to which Deno is brought if it has none"],
        ["podman=box", "a container"],
        ["socket=host:8888//tls", "a process of `execnet serve`"],
        ["worker", "a Web Worker of execnet itself; Deno wants --unstable-worker-options for it"],
      ] as const).map(([spec, tells]) => [style.cyan(spec), spec.length, tells]),
    ),
    "",
    "Exit codes:",
    ...table(
      ([
        ["0", "it is done"],
        ["1", "it was tried and has failed, here or there"],
        ["2", "the command line makes no sense"],
        ["3", "there is no connection, or it broke"],
        ["128+n", "ended by signal n, such as 130 for Ctrl-C"],
      ] as const).map(([code, tells]) => [style.cyan(code), code.length, tells]),
    ),
    "",
    "NO_COLOR and FORCE_COLOR in the environment turn colours off and on.",
    "",
  ].join("\n");
}

/** The help of one command. */
export function helpOf(command: Command, style: Style): string {
  const lines = [
    `Usage: ${style.bold(`execnet ${command.name}`)} ${command.usage}`,
    "",
    command.description,
    "",
  ];
  lines.push(
    ...table(
      optionsOf(command).map((option) => {
        const form = formOf(option);
        return [style.cyan(form), form.length, option.tells];
      }),
    ),
    "",
  );
  lines.push(command.examples.length > 1 ? "Examples:" : "Example:");
  for (const [line, tells] of command.examples) lines.push(`  ${style.dim(`# ${tells}`)}`, `  ${line}`);
  return [...lines, ""].join("\n");
}

function formOf({ name, short, value }: Option): string {
  const long = value === undefined ? `--${name}` : `--${name} ${value}`;
  return short === undefined ? `    ${long}` : `-${short}, ${long}`;
}

/** Rows of what stands left, how wide that is on the screen, and what it means. */
function table(rows: readonly (readonly [left: string, width: number, right: string])[]): string[] {
  const widest = Math.max(...rows.map(([, width]) => width));
  return rows.flatMap(([left, width, right]) =>
    wrap(right, COLUMNS - widest - 4).map((line, i) =>
      i === 0 ? `  ${left}${" ".repeat(widest - width + 2)}${line}` : `${" ".repeat(widest + 4)}${line}`
    )
  );
}

function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
