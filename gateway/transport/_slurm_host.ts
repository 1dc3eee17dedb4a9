/** Slurm's commands where another gateway runs. */

import { within } from "../../channel/wait.ts";
import { Output } from "../output.ts";
import { MARK } from "../process/guard.ts";
import type { Program } from "../process/program.ts";
import type { Starter } from "../shell/command.ts";
import type { SlurmHost } from "../slurm/host.ts";

/**
 * Runs a command that nothing marks as a part of a gateway: what is marked is killed with its gateway, and what holds an
 * allocation has to give it back then.
 */
const UNMARKED =
  `for v in $(env | sed -n 's/^\\(${MARK}[A-Za-z0-9_]*\\)=.*/\\1/p'); do unset "$v"; done; exec "$@"`;

const CHUNK_BYTES = 16 * 1024;

/** Runs Slurm's commands with what starts programs there. */
export function slurmThrough(starter: Starter): SlurmHost {
  const start = (command: readonly string[]): Promise<Program> =>
    starter.start(["sh", "-c", UNMARKED, "sh", ...command]);
  return {
    async hold(command): ReturnType<SlurmHost["hold"]> {
      const program = await start(command);
      void program.ended.then(() => program.link.close());
      return {
        stdout: chunks(program),
        stderr: program.output!,
        ended: program.ended,
        letGo: () => program.endInput(),
        keepAlive: (keep) => program.keepAlive(keep),
      };
    },
    async ask(command, timeout): Promise<string> {
      const program = await start(command);
      program.keepAlive(false);
      try {
        new Output("null", "", program.output!);
        program.endInput();
        return await within(textOf(program), timeout) ?? "";
      } finally {
        program.kill();
        program.link.close();
      }
    },
  };
}

async function* chunks({ link }: Program): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(CHUNK_BYTES);
  for (let count = await link.read(buffer); count !== null; count = await link.read(buffer)) {
    yield buffer.slice(0, count);
  }
}

async function textOf(program: Program): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of chunks(program)) text += decoder.decode(chunk, { stream: true });
  return text;
}
