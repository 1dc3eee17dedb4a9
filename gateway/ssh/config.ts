/** What ssh's configuration says of a host. */

import type { SshWords } from "./words.ts";

/** What is known of a host before it is connected to. */
export interface SshHost {
  /** The name or address that ssh connects to. */
  readonly hostname: string;
  /** Tells hosts apart, with all that ssh would do for them. */
  readonly key: string;
  /** Whether the user's configuration leaves open how connections are shared. */
  readonly mayShare: boolean;
  /** Whether the user's configuration keeps connections open, or shares them. */
  readonly keepsOpen: boolean;
  /** Whether ssh would not say why it fails. */
  readonly silent: boolean;
}

/** What stands behind the user's configuration says nothing unless the user said nothing: the first value counts. */
const UNSAID = { master: "autoask", path: "/unsaid" } as const;

/** Asks ssh what it would do, without connecting. */
export async function readHost(
  { options, destination, config }: SshWords,
  signal: AbortSignal,
): Promise<SshHost> {
  const files = config === "none"
    ? []
    : config === undefined
    ? ["~/.ssh/config", "/etc/ssh/ssh_config"]
    : [config.startsWith("/") || config.startsWith("~") ? config : `${Deno.cwd()}/${config}`];
  const text = [
    ...files.map((file) => `Include "${escaped(file)}"`),
    "Host *",
    `ControlMaster ${UNSAID.master}`,
    `ControlPath ${UNSAID.path}`,
    "",
  ].join("\n");
  const child = new Deno.Command("ssh", {
    args: [...withoutConfig(options), "-G", "-F", "/dev/stdin", destination],
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
    signal,
  }).spawn();
  const writer = child.stdin.getWriter();
  writer.write(new TextEncoder().encode(text)).then(() => writer.close()).catch(() => {
    // It has ended without reading; its code says so.
  });
  const { stdout, success } = await child.output();
  signal.throwIfAborted();
  const lines = new TextDecoder().decode(stdout).split("\n");
  const value = (name: string): string | undefined =>
    lines.find((line) => line.startsWith(`${name} `))?.slice(name.length + 1);
  const key = [...options, destination, ...lines].join("\0");
  const path = value("controlpath");
  // What ssh cannot read, it says itself when it is to connect.
  if (!success) return { hostname: destination, key, mayShare: false, keepsOpen: false, silent: false };
  return {
    hostname: value("hostname") ?? destination,
    key,
    mayShare: value("controlmaster") === UNSAID.master && path === UNSAID.path,
    keepsOpen: path !== undefined && path !== UNSAID.path && path !== "none",
    silent: /^(silent|quiet|fatal)$/i.test(value("loglevel") ?? ""),
  };
}

function withoutConfig(options: readonly string[]): string[] {
  return options.filter((word, i) => word !== "-F" && options[i - 1] !== "-F");
}

/** A path in quotes, as `Include` reads it: first as a word, then as a pattern. */
function escaped(path: string): string {
  const pattern = path.replace(/[*?[\]\\]/g, "\\$&");
  return pattern.replace(/["\\]/g, "\\$&");
}
