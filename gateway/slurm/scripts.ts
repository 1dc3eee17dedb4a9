/** What a shell does around Slurm's commands: holds an allocation, and starts a step. */

/** Shell text that forgets what an outer job has put into the environment, where it would be read as options. */
const FORGET_OUTER_JOB = 'if [ -n "$SLURM_JOB_ID" ]; then ' +
  `for v in $(env | sed -n 's/^\\(SLURM_[A-Z0-9_]*\\)=.*/\\1/p'); do ` +
  '[ "$v" = SLURM_CONF ] || unset "$v"; done; fi; ' +
  "unset SLURM_LABELIO SLURM_STDINMODE SLURM_STDOUTMODE SLURM_STDERRMODE; ";

/** Words that `srun`'s own ones, and then those of its task, are put behind. The shell becomes `srun`. */
export const STEP_SHELL: readonly string[] = ["sh", "-c", `${FORGET_OUTER_JOB}exec srun "$@"`, "srun"];

/**
 * What `salloc` runs beside it for as long as the allocation is held. It tells which one it is; when the lifeline
 * on descriptor 3 ends, it kills the steps at once, for Slurm would let a task that ignores SIGTERM live on for
 * `KillWait` (30 s). Its end makes `salloc` give the allocation back; where `salloc` is gone, or a zombie, it does so
 * itself.
 */
const HOLD = 'echo "new $SLURM_JOB_ID" $(scontrol show hostnames "$SLURM_JOB_NODELIST"); ' +
  'read -r _ <&3; trap "" TERM; ' +
  's=$(squeue --noheader --steps --jobs="$SLURM_JOB_ID" --format=%i | grep "[.][0-9]*$"); ' +
  '[ -z "$s" ] || scancel --quiet $s; ' +
  '[ -e /proc/$PPID/exe ] || scancel --quiet "$SLURM_JOB_ID"; exit 0';

/** How long `salloc` may take to give back what it has, or to take its request back, before it is killed. */
const GIVE_BACK_S = 8;
const TAKE_BACK_S = 3;

/** How long it is tried to reach a controller that has to be told: it may be restarted just now. */
const CANCEL_ATTEMPTS = 60;
const CANCEL_PAUSE_S = 10;

/**
 * A shell script whose arguments are a name that nobody else uses, how many nodes are wanted, `any` or `new`, and the
 * arguments of `salloc`. It holds an allocation for as long as its stdin is open, the lifeline of whoever started it.
 *
 * - With `any`, within a job, it makes no allocation: the job's own nodes are used, and its end ends the steps of the
 *   name.
 * - On stdout it prints one line, `new` or `own`, the job's id and its nodes. On stderr Slurm has its say.
 * - It ends when the allocation does. What waits in the queue is taken out of it; `salloc` has no child as long as it
 *   waits, and is asked nothing else, for a controller that is down would not answer.
 * - Each of its processes does its part also when the others are killed.
 */
export const HOLD_SCRIPT: string = "n=$1; w=$2; k=$3; shift 3; exec 3<&0 </dev/null; " +
  'if [ "$k" = any ] && [ -n "$SLURM_JOB_ID" ]; then ' +
  'set -- $(scontrol show hostnames "$SLURM_JOB_NODELIST"); ' +
  'if [ $# -lt "$w" ]; then echo "execnet: job $SLURM_JOB_ID has $# of the $w nodes" >&2; exit 1; fi; ' +
  'echo "own $SLURM_JOB_ID $*"; read -r _ <&3; ' +
  // A step may be on its way to the controller when its srun is killed: look again.
  "for i in 1 2 3; do " +
  's=$(squeue --noheader --steps --jobs="$SLURM_JOB_ID" --format="%i %j" | sed -n "s/^\\([0-9.]*\\) $n\\$/\\1/p"); ' +
  'if [ -n "$s" ]; then scancel --quiet $s; elif [ $i -gt 1 ]; then break; fi; sleep 0.2; done; exit 0; fi; ' +
  `${FORGET_OUTER_JOB}` +
  `salloc "$@" /bin/sh -c '${HOLD}' & s=$!; ` +
  `{ read -r _ <&3; t=${GIVE_BACK_S}; ` +
  `grep -qs "^PPid:[[:space:]]*$s\\$" /proc/[0-9]*/status || { t=${TAKE_BACK_S}; kill $s; }; ` +
  "i=0; while kill -0 $s && [ $i -lt ${t}0 ]; do sleep 0.1; i=$((i+1)); done; " +
  "kill -9 $s; } >/dev/null 2>&1 & g=$!; " +
  "wait $s; c=$?; kill $g 2>/dev/null; " +
  // By SIGTERM it ends only as long as it has not asked for anything.
  "if [ $c -lt 128 ] || [ $c -eq 143 ]; then exit $c; fi; " +
  `i=0; until scancel --quiet --name="$n" || [ $i -ge ${CANCEL_ATTEMPTS} ]; do ` +
  `sleep ${CANCEL_PAUSE_S}; i=$((i+1)); done; exit $c`;
