/** Makes the gateways of a command. */

import { type Gateway, type GatewayOptions, Group, type StderrMode, XSpec, XSpecError } from "../mod.ts";
import type { Given, Option } from "./command.ts";
import { UsageError } from "./failure.ts";
import { CONNECT_TIMEOUT, connecting } from "./options.ts";
import { passOn } from "./printed.ts";
import type { Terminal } from "./terminal.ts";

/** Gateways that others are started from. */
export const HOP: Option = {
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
  const hops = hopsOf(given);
  const ids = new Set(hops.map(({ id }) => id));
  const options = optionsOf(given, terminal, hops.length + specs.length, tell);
  const group = await Group.create([...hops, ...specs], options);
  return { ...ending(group, tell), gateways: [...group].filter(({ id }) => !ids.has(id)) };
}

/** The gateways of a command that goes on without those that cannot be made. */
export interface SomeConnections extends AsyncDisposable {
  /** For each spec the gateway, or why there is none. */
  readonly made: readonly PromiseSettledResult<Gateway>[];
}

/**
 * Makes gateways, each by itself, as {@linkcode connect} makes all or none.
 *
 * @throws {XSpecError} when a spec is not valid
 * @throws the reason of the terminal's signal
 */
export async function connectEach(
  given: Given,
  terminal: Terminal,
  specs: readonly XSpec[],
  tell?: (line: string) => void,
): Promise<SomeConnections> {
  const hops = hopsOf(given);
  const options = optionsOf(given, terminal, hops.length + specs.length, tell);
  const group = new Group();
  const starting = new Map<string, Promise<Gateway>>();
  const make = async (spec: XSpec): Promise<Gateway> => {
    // Why a hop could not be made is why nothing can be started from it.
    const hop = starting.get(spec.via ?? spec.installvia ?? "");
    if (hop !== undefined) await hop;
    return await group.makeGateway(spec, options);
  };
  for (const hop of hops) {
    const made = make(hop);
    made.catch(() => {});
    starting.set(hop.id!, made);
  }
  // Ids that were asked for come first: those that are given out go round them.
  const named = new Map(specs.filter(({ id }) => id !== undefined).map((spec) => [spec, make(spec)]));
  const made = await Promise.allSettled(specs.map((spec) => named.get(spec) ?? make(spec)));
  await Promise.allSettled(starting.values());
  const connections = { ...ending(group, tell), made };
  const wrong = made.find((one) => one.status === "rejected" && one.reason instanceof XSpecError);
  if (wrong === undefined && !terminal.signal.aborted) return connections;
  await connections[Symbol.asyncDispose]();
  terminal.signal.throwIfAborted();
  throw (wrong as PromiseRejectedResult).reason;
}

/** @throws {UsageError} when a hop has no id */
function hopsOf(given: Given): XSpec[] {
  const hops = given.texts("hop").map((text) => new XSpec(text));
  for (const hop of hops) {
    if (hop.id === undefined) throw new UsageError(`The hop "${hop}" needs a name: ${hop}//id=NAME`);
  }
  return hops;
}

function optionsOf(
  given: Given,
  terminal: Terminal,
  count: number,
  tell: ((line: string) => void) | undefined,
): GatewayOptions {
  const stderr: StderrMode = tell !== undefined ? "piped" : count > 1 ? "prefix" : "inherit";
  return { ...connecting(given, terminal), stderr };
}

/** A group that ends with the command. */
function ending(
  group: Group,
  tell: ((line: string) => void) | undefined,
): Pick<Connections, "group" | typeof Symbol.asyncDispose> {
  const printed = tell === undefined ? undefined : passOn([...group], tell);
  return {
    group,
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
  tell?: (line: string) => void,
): Promise<Connections & { readonly gateway: Gateway }> {
  const connections = await connect(given, terminal, [spec], tell);
  const [gateway, second] = connections.gateways;
  if (second === undefined) return { ...connections, gateway: gateway! };
  await connections[Symbol.asyncDispose]();
  throw new UsageError(`"${spec}" makes ${connections.gateways.length} gateways, and this needs one`);
}
