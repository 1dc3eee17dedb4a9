/** The steps of connecting, and what each may come to. Pure. */

/** A step of connecting. */
export type Step =
  | "flag"
  | "program"
  | "config"
  | "jump"
  | "name"
  | "port"
  | "host key"
  | "login"
  | "tls"
  | "token"
  | "proof"
  | "container"
  | "controller"
  | "allocation"
  | "shell"
  | "deno";

/** What can be wrong: a name for whatever is mended in the same way. */
export type Trouble =
  | "permission"
  | "late"
  | "exit"
  | "hop"
  | "flag"
  | "no-program"
  | "config"
  | "no-address"
  | "port-closed"
  | "port-silent"
  | "no-route"
  | "not-ssh"
  | "dropped"
  | "jump"
  | "proxy"
  | "key-changed"
  | "key-unknown"
  | "login-refused"
  | "no-key"
  | "key-locked"
  | "key-open"
  | "more-factors"
  | "too-many-keys"
  | "no-tls"
  | "tls-wanted"
  | "not-trusted"
  | "ca-file"
  | "no-token"
  | "other-token"
  | "not-server"
  | "silent"
  | "other-version"
  | "refused"
  | "no-container"
  | "stopped"
  | "no-engine"
  | "engine-denied"
  | "no-cluster"
  | "no-controller"
  | "no-partition"
  | "slurm-denied"
  | "no-nodes"
  | "no-shell"
  | "noise"
  | "much-noise"
  | "no-deno"
  | "deno-broken"
  | "not-deno"
  | "old-deno"
  | "platform"
  | "folder";

/** What a step has come to. */
export interface Finding {
  /** Whether connecting goes on behind it. */
  readonly state: "ok" | "warning" | "failed";
  /** What was found, in one line. */
  readonly found: string;
  /** What is wrong, unless it is `ok`. */
  readonly trouble?: Trouble;
  /** What the other side, or the program in between, says itself. */
  readonly words?: string;
  /** What advice has to name: `host`, `port`, `user`, `program`, … */
  readonly facts?: Facts;
  /** Milliseconds that it took, where several steps are seen in one go. */
  readonly ms?: number;
}

/** What advice has to name. */
export type Facts = Readonly<Record<string, string>>;

/** It is as it should be. */
export function well(found: string, ms?: number): Finding {
  return { state: "ok", found, ...(ms === undefined ? {} : { ms }) };
}

/** Connecting ends here. */
export function failed(trouble: Trouble, found: string, more: Partial<Finding> = {}): Finding {
  return { state: "failed", trouble, found, ...more };
}
