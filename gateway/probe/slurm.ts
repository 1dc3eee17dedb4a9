/** `slurm`: the commands, the controller, and whether it would give the nodes. */

import { explainSlurm } from "../slurm/explain.ts";
import { STEP_SHELL } from "../slurm/scripts.ts";
import { fitsOuterJob } from "../slurm/words.ts";
import { failed, well } from "./finding.ts";
import type { Facts, Finding, Trouble } from "./finding.ts";
import { askThere } from "./place.ts";
import type { Place, Probed } from "./place.ts";

/** What gateways on nodes run on the machine with Slurm's commands. */
const COMMANDS = ["salloc", "srun", "scontrol", "squeue", "scancel"];

/** Walks the steps, up to the first that fails. */
export async function* probeSlurm(place: Place): AsyncGenerator<Probed> {
  const { partition, account, time, nodes = 1 } = place.spec;
  const facts: Facts = { partition: partition ?? "", account: account ?? "", nodes: String(nodes) };
  const { stdout } = await askThere(place, [
    "sh",
    "-c",
    'for p in "$@";do command -v $p >/dev/null||echo "no $p";done',
    "sh",
    ...COMMANDS,
  ]);
  const missing = [...stdout.matchAll(/^no (\w+)$/gm)].map(([, name]) => name!);
  if (missing.length > 0) {
    const program = missing.join(", ");
    yield ["program", failed("no-program", `not on PATH: ${program}`, { facts: { program } })];
    return;
  }
  yield ["program", well(COMMANDS.join(", "))];
  const ping = await askThere(place, ["scontrol", "ping"]);
  const controller = ping.stdout.trim();
  if (!/is UP/.test(controller)) {
    yield ["controller", whyNot(ping, facts, "no-controller")];
    return;
  }
  yield ["controller", well(controller.split("\n").find((line) => / UP/.test(line)) ?? controller)];
  const job = place.hop === undefined ? Deno.env.get("SLURM_JOB_ID") : undefined;
  if (job !== undefined && fitsOuterJob({ partition, account, time })) {
    yield ["allocation", well(`the nodes of job ${job}, in which this program runs`)];
    return;
  }
  const option = (name: string, value: string | undefined): string[] =>
    value === undefined ? [] : [`--${name}=${value}`];
  const tried = await askThere(place, [
    ...STEP_SHELL,
    "--test-only",
    `--nodes=${nodes}-${nodes}`,
    ...option("partition", partition),
    ...option("account", account),
    ...option("time", time),
    "true",
  ]);
  const said = tried.stderr.trim();
  const start = /to start at (\S+) using .*?nodes? (\S+)/.exec(said);
  yield [
    "allocation",
    tried.code === 0
      ? well(start === null ? said : `from ${start[1]} on ${start[2]}`)
      : whyNot(tried, facts, "no-nodes"),
  ];
}

function whyNot(
  { code, stdout, stderr, late }: Awaited<ReturnType<typeof askThere>>,
  facts: Facts,
  usual: Trouble,
): Finding {
  const words = `${stdout}\n${stderr}`.trim();
  if (late) return failed("no-controller", "the controller does not answer", { words, facts });
  const { kind, state } = explainSlurm(code, words);
  const trouble: Trouble = kind === "auth"
    ? "slurm-denied"
    : /partition/.test(state)
    ? "no-partition"
    : /cluster$/.test(state) && kind === "host"
    ? "no-cluster"
    : /controller/.test(state)
    ? "no-controller"
    : usual;
  return failed(trouble, state, { words, facts });
}
