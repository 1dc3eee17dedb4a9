/** Which launcher a spec asks for, and what it may not ask for. */

import { encodeHello } from "../channel/handshake.ts";
import { shownSpec, splitWords, XSpec, XSpecError } from "../xspec/mod.ts";
import type { GatewayType } from "../xspec/mod.ts";
import { ConnectError } from "./errors.ts";
import { hopOf } from "./hops.ts";
import { diagnoseExit } from "./launcher.ts";
import type { Diagnosis, Launcher } from "./launcher.ts";
import { missingDenoAdvice } from "./process/own_deno.ts";
import type { SpawnedProcess } from "./process/process.ts";
import type { TraceTarget } from "./process/trace.ts";
import { ShellLauncher } from "./shell/launcher.ts";
import type { Reach } from "./shell/reach.ts";
import { Provisions } from "./shell/provision.ts";
import { CommandReach, HERE } from "./shell/command.ts";
import type { Starter } from "./shell/command.ts";
import { SshHosts, SshReach } from "./ssh/reach.ts";
import { readSshWords } from "./ssh/words.ts";
import { diagnoseOwn, spawnPopen } from "./transport/popen.ts";
import { parseAddress } from "./socket/address.ts";
import { installServer } from "./transport/installed.ts";
import { checkSocketSpec, spawnSocket } from "./transport/socket.ts";
import { SlurmNodes, SlurmReach } from "./transport/slurm.ts";
import { dialThrough } from "./transport/_socket_dial.ts";
import { hopStarter } from "./transport/via.ts";
import type { Hop } from "./transport/via.ts";
import { throughDoor } from "./transport/via_popen.ts";
import { checkWorkerSpec, startWorker } from "./transport/worker.ts";

/** What a launcher is made for. */
export interface LaunchPlan {
  spec: XSpec;
  id: string;
  trace: TraceTarget | undefined;
  /** The gateway that it is started from. */
  hop: Hop | undefined;
  /** What the gateways of a group share. */
  shared: Shared;
  /** The node that it runs on, for Slurm. */
  node?: SlurmNode | undefined;
}

/** A node of an allocation. */
export interface SlurmNode {
  readonly nodes: SlurmNodes;
  readonly index: number;
}

/** What the gateways of a group share elsewhere. */
export class Shared {
  readonly provisions: Provisions = new Provisions();
  readonly hosts: SshHosts = new SshHosts();
}

/** What stands around the words of the spec, where a program hands on its streams to a shell. */
const COMMANDS: Readonly<Partial<Record<GatewayType, readonly [before: string[], behind: string[]]>>> = {
  command: [[], []],
  podman: [["podman", "exec", "-i"], []],
  docker: [["docker", "exec", "-i"], []],
  kubectl: [["kubectl", "exec", "-i"], ["--"]],
};

/** Checks a spec before anything is started. Throws XSpecError. */
export function checkSpec(spec: XSpec): void {
  const refuse = (key: string, why: string): never => {
    throw new XSpecError(`Cannot make a gateway of "${shownSpec(spec)}": ${why}`, String(spec), key);
  };
  switch (spec.type) {
    case "worker":
      if (spec.via !== undefined) refuse("via", "a worker gateway is in this program, and not elsewhere");
      checkWorkerSpec(spec);
      break;
    case "ssh":
      readSshWords(spec);
      break;
    case "socket":
      checkSocketSpec(spec);
      break;
    case "popen":
    case "slurm":
    case "command":
    case "podman":
    case "docker":
    case "kubectl":
      break;
    default:
      refuse(spec.type, `this version starts no ${spec.type} gateways`);
  }
  if (spec.type in COMMANDS && prefixOf(spec).length === 0) refuse(spec.type, "it names no program");
  const deno = spec.deno === undefined ? undefined : splitWords(spec.deno, "deno", String(spec));
  if (deno?.length === 0) refuse("deno", "it names no program");
  if (spec.provision && deno !== undefined && deno.length > 1) {
    refuse("provision", "what is brought takes the place of one word, and deno= has more");
  }
  if (spec.provision && (spec.type === "worker" || spec.type === "popen" && spec.via === undefined)) {
    refuse("provision", "there is a Deno on this machine");
  }
}

/**
 * The gateways that a spec asks for: one, or for Slurm one on each of its nodes, which they share. With more than one, an
 * id becomes the beginning of theirs.
 */
export function spread(spec: XSpec): { spec: XSpec; node: SlurmNode | undefined }[] {
  if (!spec.slurm) return [{ spec, node: undefined }];
  const { nodes: count = 1, partition, account, time, id } = spec;
  const nodes = new SlurmNodes({ nodes: count, partition, account, time });
  return Array.from({ length: count }, (_, index) => {
    const one = count === 1 ? spec : new XSpec(spec);
    if (count > 1 && id !== undefined) one.id = `${id}-${index}`;
    return { spec: one, node: { nodes, index } };
  });
}

/** Makes what starts the gateway of a checked spec. */
export function makeLauncher(plan: LaunchPlan): Launcher {
  const { spec, id, trace, hop } = plan;
  const from = hopOf(spec);
  if (from !== undefined && hop === undefined) {
    throw new ConnectError(
      "exit",
      `Cannot start gateway "${id}" (${shownSpec(spec)}): gateway "${from}" has ended`,
    );
  }
  const { provisions, hosts } = plan.shared;
  const shell = (reach: Reach, executable?: string): Launcher =>
    new ShellLauncher({ spec, id, trace, provisions, reach, executable });
  const starter: Starter = hop === undefined ? HERE : hopStarter(hop);
  switch (spec.type) {
    case "worker":
      return {
        ...LOCAL,
        start: async () => await startWorker(spec, id),
        diagnose: (end, output) => Promise.resolve(diagnoseExit(end, output, "")),
        permissionHint: "a worker gateway may not do more than its program",
      };
    case "socket":
      return spec.installvia === undefined ? socketLauncher(plan, starter) : installedLauncher(plan, hop!);
    case "popen":
      if (hop === undefined) return popenLauncher(spec, id, trace);
      return viaLauncher(plan, hop, shell(new CommandReach([], starter), hop.executable));
    case "slurm":
      return shell(new SlurmReach(plan.node!.nodes, plan.node!.index, starter));
    case "ssh":
      return shell(new SshReach({ words: readSshWords(spec), hosts, starter, here: hop === undefined }));
    default:
      return shell(new CommandReach(prefixOf(spec), starter));
  }
}

const LOCAL = { repeats: false };

function popenLauncher(spec: XSpec, id: string, trace: TraceTarget | undefined): Launcher {
  return {
    ...LOCAL,
    start: (): Promise<SpawnedProcess> => spawnPopen(spec, id, encodeHello, trace),
    async diagnose(end, output, signal): Promise<Diagnosis> {
      const diagnosis = await diagnoseOwn(spec, end, signal) ??
        diagnoseExit(end, output, spec.deno ?? "deno");
      if (diagnosis.kind !== "no-deno" || spec.deno !== undefined) return diagnosis;
      return { ...diagnosis, state: diagnosis.state + missingDenoAdvice() };
    },
    permissionHint:
      "a program that makes gateways needs --allow-run, --allow-read, --allow-write and --allow-net, " +
      "or --allow-run and --allow-env",
  };
}

/** A trace is told of by what is started by a shell. */
function viaLauncher({ spec, id, trace }: LaunchPlan, hop: Hop, byShell: Launcher): Launcher {
  return trace === undefined ? throughDoor(byShell, hop, spec, id) : byShell;
}

function socketLauncher({ spec, id, trace, hop }: LaunchPlan, starter: Starter): Launcher {
  const from = hop === undefined ? {} : { dial: dialThrough(hop, starter) };
  return {
    ...LOCAL,
    start: async () => await spawnSocket({ spec, id, trace, greet: encodeHello, ...from }),
    diagnose: (end, output) => Promise.resolve(diagnoseExit(end, output, "deno")),
    address: parseAddress(spec.socket!)!.host,
    permissionHint: hop === undefined
      ? "a program that connects to a server needs --allow-net for it, and --allow-read for its token"
      : starter.permissionHint,
  };
}

function installedLauncher({ spec, id, trace }: LaunchPlan, hop: Hop): Launcher {
  let permissionHint = hopStarter(hop).permissionHint;
  return {
    ...LOCAL,
    async start(signal): Promise<SpawnedProcess> {
      const installed = await installServer(hop, signal);
      permissionHint = "a program that connects to a server needs --allow-net for it";
      const child = spawnSocket({ spec, id, trace, greet: encodeHello, installed });
      void child.ended.then(() => installed.stop());
      return child;
    },
    diagnose: (end, output) => Promise.resolve(diagnoseExit(end, output, "deno")),
    address: hop.address ?? "127.0.0.1",
    get permissionHint() {
      return permissionHint;
    },
  };
}

/** The words before the shell. */
export function prefixOf(spec: XSpec): string[] {
  const text = spec.get(spec.type);
  const words = typeof text === "string" ? splitWords(text, spec.type, String(spec)) : [];
  const [before, behind] = COMMANDS[spec.type]!;
  return words.length === 0 ? [] : [...before, ...words, ...behind];
}
