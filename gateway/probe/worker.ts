/** `worker`: whether Deno narrows the permissions of Workers here. It ends a program that tries and may not. */

import { workerPermissions } from "../../xspec/mod.ts";
import { failed, well } from "./finding.ts";
import { askThere } from "./place.ts";
import type { Place, Probed } from "./place.ts";

/** What Deno ends with when an unstable feature is used without its flag. */
const UNSTABLE = 70;

/** Tries it in a process of its own. */
export async function* probeWorker(place: Place): AsyncGenerator<Probed> {
  if (workerPermissions(place.spec.permissions) === "inherit") {
    yield ["flag", well("none is needed: the Worker may do what its program may")];
    return;
  }
  if (Deno.build.standalone) {
    yield ["flag", well("not tried: this program is compiled, with its flags")];
    return;
  }
  const script = new URL("./try_worker.ts", import.meta.url).href;
  const { code, stderr, late } = await askThere(place, [Deno.execPath(), ...await ownFlags(), script]);
  const words = stderr.trim();
  if (code === 0) yield ["flag", well("this program has it, and yours needs it as well")];
  else if (late) yield ["flag", failed("late", "the attempt in another process does not end", { words })];
  else if (code === UNSTABLE) {
    yield [
      "flag",
      failed("flag", "Deno would end the program: Workers may be narrowed with a flag only", { words }),
    ];
  } else yield ["flag", failed("exit", `the attempt in another process ended with code ${code}`, { words })];
}

/** The words before the script with which this program was started; the usual ones where the system does not say. */
async function ownFlags(): Promise<string[]> {
  const text = await Deno.readTextFile("/proc/self/cmdline").catch(() => "");
  const words = text.split("\0").slice(0, -1);
  const [, ...flags] = words.slice(0, words.length - Deno.args.length - 1);
  return flags[0] === "run" ? flags : ["run", "--quiet", "--allow-all"];
}
