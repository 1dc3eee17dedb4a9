/** Makes the gateways of a command. */

import { type Gateway, Group, type StderrMode, XSpec } from "../mod.ts";
import type { Given, Option } from "./command.ts";
import { UsageError } from "./failure.ts";
import { CONNECT_TIMEOUT, connecting } from "./options.ts";
import { passOn } from "./printed.ts";
import type { Terminal } from "./terminal.ts";

/** Gateways that others are started from. */
const HOP: Option = {
  name: "hop",
  value: "SPEC",
  repeatable: true,
  tells: "start this gateway, too: the others may name it by via= or installvia=; it needs an id=",
};

/** How gateways are made. */
export const CONNECTION: readonly Option[] = [CONNECT_TIMEOUT, HOP];

/** So many gateways a factor may ask for. */
const MOST = 4096;

/** The gateways of a command, which end with it. */
export interface Connections extends AsyncDisposable {
  readonly group: Group;
  /** Those that were asked for, in order, without hops. */
  readonly gateways: readonly Gateway[];
}

/** What a progress bar says meanwhile. */
export function startingNote(count: number): string {
  return count === 1 ? "starting a gateway" : `starting ${count} gateways`;
}

/** Specs with factors, such as `4*popen`, as so many specs. */
export function repeated(specs: readonly string[], command: string): string[] {
  return specs.flatMap((spec) => {
    const [, factor, one] = /^(\d+)\*(.*)$/s.exec(spec) ?? [undefined, "1", spec];
    const count = Number(factor);
    if (count < 1 || count > MOST) {
      throw new UsageError(`Cannot make ${factor} gateways of "${one}": the factor is 1 to ${MOST}`, command);
    }
    return Array<string>(count).fill(one!);
  });
}

/**
 * Makes gateways, all or none, and the hops that the command line names. What they print goes to standard error, or line by
 * line to `tell`.
 *
 * @throws {UsageError} when a hop has no id
 */
export async function connect(
  given: Given,
  terminal: Terminal,
  specs: readonly (string | XSpec)[],
  tell?: (line: string) => void,
): Promise<Connections> {
  const hops = given.texts("hop").map((text) => new XSpec(text));
  for (const hop of hops) {
    if (hop.id === undefined) throw new UsageError(`The hop "${hop}" needs a name: ${hop}//id=NAME`);
  }
  const ids = new Set(hops.map(({ id }) => id));
  const stderr: StderrMode = tell !== undefined
    ? "piped"
    : hops.length + specs.length > 1
    ? "prefix"
    : "inherit";
  const group = await Group.create([...hops, ...specs], { ...connecting(given, terminal), stderr });
  const printed = tell === undefined ? undefined : passOn([...group], tell);
  return {
    group,
    gateways: [...group].filter(({ id }) => !ids.has(id)),
    async [Symbol.asyncDispose](): Promise<void> {
      await group[Symbol.asyncDispose]();
      await printed;
    },
  };
}

/** Makes the one gateway of a command. */
export async function connectOne(
  given: Given,
  terminal: Terminal,
  spec: string,
): Promise<Connections & { readonly gateway: Gateway }> {
  const connections = await connect(given, terminal, [spec]);
  const [gateway, second] = connections.gateways;
  if (second === undefined) return { ...connections, gateway: gateway! };
  await connections[Symbol.asyncDispose]();
  throw new UsageError(`"${spec}" makes ${connections.gateways.length} gateways, and this needs one`);
}

/** Settles as a promise does, or rejects with the reason of a signal. */
export async function unless<T>(signal: AbortSignal, promise: Promise<T>): Promise<T> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
