/** The words of Slurm's commands: what is asked for, and how a shell is started on a node of it. Pure. */

/** What a spec says about Slurm. */
export interface SlurmKeys {
  /** How many nodes; one by default. */
  nodes?: number | undefined;
  /** The partition; Slurm's default one where none is named. */
  partition?: string | undefined;
  /** The account to charge. */
  account?: string | undefined;
  /** The time limit, as Slurm writes it: `30` minutes, `2:00:00`, `1-12`. */
  time?: string | undefined;
}

/**
 * Whether the keys can be served by the nodes of a job that the program runs in itself. Partition, account and time
 * limit belong to an allocation, so naming one of them asks for a new one.
 */
export function fitsOuterJob({ partition, account, time }: SlurmKeys): boolean {
  return partition === undefined && account === undefined && time === undefined;
}

/**
 * The arguments of `salloc` up to the command.
 *
 * - `--kill-command`: else it would wait for its command for ever when the allocation is taken away.
 * - `--no-kill`: a node that fails takes its own gateway with it, not those on the other nodes.
 * - Keys go with `=`, so that no value can be read as another option.
 */
export function allocationWords(keys: SlurmKeys, name: string): string[] {
  const { nodes, partition, account, time } = keys;
  const nodeCount = nodes ?? 1;
  return [
    `--job-name=${name}`,
    // Exactly so many: `--nodes=3` alone would do as a minimum where another option asks for more.
    `--nodes=${nodeCount}-${nodeCount}`,
    "--no-kill",
    "--kill-command=TERM",
    "--no-bell",
    ...(partition === undefined ? [] : [`--partition=${partition}`]),
    ...(account === undefined ? [] : [`--account=${account}`]),
    ...(time === undefined ? [] : [`--time=${time}`]),
  ];
}

/**
 * The arguments of `srun` up to the command, for one task on the `index`-th node of a job.
 *
 * - `--unbuffered`: else a byte without a newline behind it is never passed on.
 * - `--overlap`: steps of one node share its processors and its memory; else the second one waits for the first.
 * - `--mpi=none`: no library of the site is loaded for what is no MPI program.
 */
export function stepWords(job: string, index: number, name: string): string[] {
  return [
    "--unbuffered",
    "--quiet",
    `--jobid=${job}`,
    `--job-name=${name}`,
    `--relative=${index}`,
    "--nodes=1-1",
    "--ntasks=1",
    "--overlap",
    "--mpi=none",
  ];
}
