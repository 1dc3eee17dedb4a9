/** What Slurm's messages mean: which step of connecting failed, in clear words. Pure. */

/** Which step failed; a part of the kinds of a connect error. */
export type SlurmErrorKind = "host" | "refused" | "auth" | "timeout" | "exit";

/** What is known about a failure. */
export interface SlurmErrorDetails {
  /** The exit code of Slurm's command. */
  exitCode?: number | undefined;
  /** The last lines that it wrote. */
  stderrTail?: string | undefined;
}

/** Slurm gave no allocation, or did not take one back. */
export class SlurmError extends Error {
  static {
    this.prototype.name = "SlurmError";
  }
  /** Which step failed. */
  readonly kind: SlurmErrorKind;
  /** The exit code of Slurm's command. */
  readonly exitCode: number | undefined;
  /** The last lines that it wrote. */
  readonly stderrTail: string;

  /** Makes the error for a failed step. */
  constructor(
    kind: SlurmErrorKind,
    message: string,
    details: SlurmErrorDetails = {},
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.kind = kind;
    this.exitCode = details.exitCode;
    this.stderrTail = details.stderrTail ?? "";
  }
}

/** A failure in words that go behind a colon. */
export interface SlurmFailure {
  /** Which step failed. */
  kind: SlurmErrorKind;
  /** What the state is. */
  state: string;
}

/**
 * The texts of Slurm 20 to 24. The first one that is found counts: what is more specific stands further up. Who asks
 * is `auth`; what is asked for is `refused`, and so is a controller that does not answer; `host` is a machine that
 * knows no cluster, or a name that no node has.
 */
const MEANINGS: readonly (readonly [text: RegExp, kind: SlurmErrorKind, state: string])[] = [
  [/exceeded (?:its|their) time limit|due to time limit/i, "exit", "its time limit is over"],
  [/node failure|due to node fail/i, "exit", "a node of it has failed"],
  [
    /execnet: job (\d+) has (\d+) of the (\d+) nodes/,
    "refused",
    "the job that the program runs in has too few nodes",
  ],
  [/invalid partition/i, "refused", "there is no such partition"],
  [/invalid account|account not permitted|invalid.*\bassociation/i, "auth", "the account may not be used"],
  [/invalid qos/i, "refused", "there is no such quality of service"],
  [/group not permitted|access\/permission denied|user'?s? .*not permitted/i, "auth", "it is not permitted"],
  [/authentication error|munge|invalid (?:user|group) id/i, "auth", "Slurm does not accept who asks"],
  [
    /invalid --?time|time limit specification|requested time limit/i,
    "refused",
    "the time limit is not accepted",
  ],
  [/invalid node name|unable to resolve/i, "host", "there is no such node"],
  [
    /configuration is not available|more processors|node count specification|more than (?:the )?max/i,
    "refused",
    "the cluster has no such nodes",
  ],
  [/policy|limit.*exceeded|would exceed/i, "refused", "a limit of the cluster forbids it"],
  [
    /nodes? .*(?:down|drained|reserved)|not (?:currently )?(?:up|available)/i,
    "refused",
    "the nodes are not available",
  ],
  [
    /contact slurm controller|connect failure|connection refused|timed? ?out/i,
    "refused",
    "the controller does not answer",
  ],
  [
    /process configuration file|clustername needs|parse_file|slurm\.conf|dns srv/i,
    "host",
    "this machine belongs to no cluster",
  ],
  [
    /already complet|invalid job id|has been revoked|job has (?:been )?cancell?ed|allocation .*released/i,
    "exit",
    "the allocation is over",
  ],
  [/execve\(\).*no such file/i, "exit", "the node has no such program"],
];

/**
 * What a command of Slurm that has failed says.
 *
 * @param exitCode How it ended: 127 where the shell found no such command.
 * @param stderr What it wrote.
 */
export function explainSlurm(exitCode: number | undefined, stderr: string): SlurmFailure {
  if (exitCode === 127 || /\b(?:salloc|srun)(?:: command)?:? not found/i.test(stderr)) {
    return { kind: "exit", state: "Slurm's commands are not on PATH" };
  }
  return meaningOf(stderr) ??
    {
      kind: "exit",
      state: exitCode === undefined ? "Slurm's command ended" : `it ended with code ${exitCode}`,
    };
}

/** What a request that has not been granted yet waits for, or why it never will be. */
export function explainWaiting(stderr: string): SlurmFailure {
  if (/partition configuration not available/i.test(stderr)) {
    return { kind: "timeout", state: "it waits in the queue: the partition cannot serve it as it is now" };
  }
  const queued = /job (\d+) queued/i.exec(stderr);
  if (queued !== null) return { kind: "timeout", state: `job ${queued[1]} waits in the queue for resources` };
  return meaningOf(stderr) ?? { kind: "timeout", state: "no answer from the controller" };
}

/** What the state and the reason of a job that has ended mean, where they say more than that it has. */
export function explainState(state: string): string | undefined {
  if (/\b(?:TIMEOUT|TimeLimit|DEADLINE)\b/.test(state)) return "its time limit is over";
  if (/\b(?:NODE_FAIL|BOOT_FAIL|NodeDown)\b/.test(state)) return "a node of it has failed";
  if (/\bPREEMPTED\b/.test(state)) return "another job has taken its nodes";
  if (/\bCANCELLED\b/.test(state)) return "it was cancelled";
  return undefined;
}

function meaningOf(stderr: string): SlurmFailure | undefined {
  for (const [text, kind, state] of MEANINGS) {
    if (text.test(stderr)) return { kind, state };
  }
  return undefined;
}
