/** What `--help` prints. */

import { optionsOf } from "./arguments.ts";
import type { Command, Option } from "./command.ts";
import type { Style } from "./style.ts";

/** The help of the whole command. */
export function overview(commands: readonly Command[], version: string, style: Style): string {
  return [
    `${
      style.bold("execnet")
    } ${version}: runs code behind gateways, with the permissions that the spec gives it`,
    "",
    "Usage: execnet <command> [arguments] [options]",
    "",
    ...table(commands.map(({ name, summary }) => [style.cyan(name), name.length, summary])),
    "",
    "execnet <command> --help shows its options and an example; execnet --version the version.",
    "A spec says what to start and what it may do: popen//allow-read=/srv, ssh=user@host, podman=box.",
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
  return rows.map(([left, width, right]) => `  ${left}${" ".repeat(widest - width + 2)}${right}`);
}
