/** Which measuring programs there are on this machine, and how they are started. */

import { RSYNC } from "../parts/rsync.ts";
import type { PlayerName } from "./entry.ts";
import { FAR_PARTS, FarHost } from "./far_host.ts";
import type { FarKind } from "./far_host.ts";
import { Player } from "./player.ts";

/** Where a peer for Python may be found: the distribution's own interpreter first. */
const PYTHONS = ["/usr/bin/python3", "python3"];

/** A peer from npm. */
const CAPNWEB = "npm:capnweb@0.12.0";

const PIN = ["taskset", "-c", "0"];

/** The programs, looked for once. What is not there has a reason. */
export class Players implements AsyncDisposable {
  readonly #hosts = new Map<string, FarHost>();
  readonly #commands: Record<PlayerName, string[] | string>;
  readonly #canPin: boolean;
  /** Says with what the figures were measured. */
  readonly description: string;

  private constructor(commands: Record<PlayerName, string[] | string>, canPin: boolean, description: string) {
    this.#commands = commands;
    this.#canPin = canPin;
    this.description = description;
  }

  /** Looks for what there is. */
  static async find(): Promise<Players> {
    let execnet: string[] | string = `python3-execnet is not importable by ${PYTHONS.join(" or ")}`;
    let execnetVersion = "missing";
    for (const python of PYTHONS) {
      const version = await output([python, "-c", "import execnet; print(execnet.__version__)"]);
      if (version === undefined) continue;
      execnet = [python, "-B", new URL("./execnet_peer.py", import.meta.url).pathname];
      execnetVersion = version;
      break;
    }
    const deno = (file: string, ...flags: string[]): string[] => [
      Deno.execPath(),
      "run",
      "--quiet",
      "-A",
      ...flags,
      new URL(file, import.meta.url).pathname,
    ];
    const capnweb = await output([Deno.execPath(), "eval", `import "${CAPNWEB}"`]) === undefined
      ? `${CAPNWEB} cannot be had`
      : deno("./capnweb.ts");
    const rsyncVersion = RSYNC.missing === undefined ? await output(["rsync", "--version"]) : undefined;
    const canPin = await output([...PIN, "true"]) !== undefined;
    return new Players(
      {
        // What the documentation of worker gateways asks for, and a way to tell what is held from garbage.
        ours: deno("./ours.ts", "--unstable-worker-options", "--v8-flags=--expose-gc"),
        raw: deno("./raw.ts"),
        execnet,
        capnweb,
        rsync: RSYNC.missing ?? deno("./rsync_peer.ts"),
      },
      canPin,
      [
        `Deno ${Deno.version.deno}`,
        `execnet ${execnetVersion}`,
        `rsync ${rsyncVersion?.match(/version (\S+)/)?.[1] ?? "missing"}`,
        `${navigator.hardwareConcurrency} cores`,
        `load ${Deno.loadavg()[0]!.toFixed(1)}`,
      ].join(", "),
    );
  }

  /** Why a program cannot be had, or undefined when it can. */
  whyMissing(name: PlayerName, pinned: boolean): string | undefined {
    if (pinned && !this.#canPin) return `${PIN.join(" ")} does not work here`;
    const command = this.#commands[name];
    return typeof command === "string" ? command : undefined;
  }

  /** Why there is no such host that could be reached by ssh, if so. */
  noHost(kind: FarKind): string | undefined {
    return FAR_PARTS[kind].missing;
  }

  /** A host that is reached by ssh, with all that runs there on one core if `pinned`. */
  async host(kind: FarKind, pinned: boolean): Promise<FarHost> {
    const key = `${kind} ${pinned}`;
    const host = this.#hosts.get(key) ?? await FarHost.start(kind, pinned ? PIN : []);
    this.#hosts.set(key, host);
    return host;
  }

  /** Starts a program, with its children on one core if `pinned`. */
  start(name: PlayerName, pinned: boolean, host: FarHost | undefined): Player {
    const command = this.#commands[name] as string[];
    return new Player(pinned ? [...PIN, ...command] : command, host?.env);
  }

  /** Starts ours under another program, e.g. one that traces it. */
  startOurs(wrapper: readonly string[]): Player {
    return new Player([...wrapper, ...this.#commands.ours as string[]]);
  }

  /** Ends the hosts. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const host of this.#hosts.values()) await host[Symbol.asyncDispose]();
  }
}

/** What a command prints, or undefined when it cannot be run or fails. */
async function output(command: readonly string[]): Promise<string | undefined> {
  try {
    const { success, stdout } = await new Deno.Command(command[0]!, {
      args: command.slice(1),
      stdin: "null",
      stderr: "null",
    }).output();
    return success ? new TextDecoder().decode(stdout).trim() : undefined;
  } catch {
    return undefined;
  }
}
