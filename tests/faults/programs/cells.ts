/** Plays the cells of its argument, one after the other, beside a gateway that nothing happens to. Says what becomes of each. */

import { Group } from "../../../mod.ts";
import { nameOf } from "../axes.ts";
import { play } from "../play.ts";
import type { Line, Task } from "../play.ts";

const { cells, place } = JSON.parse(Deno.args[0]!) as Task;

function say(line: Line): void {
  const bytes = new TextEncoder().encode(`${JSON.stringify(line)}\n`);
  for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
}

const group = new Group();
const witness = await group.makeGateway("popen", { stderr: "null" });
// What is loaded only once is not taken for something that a cell leaves open; nor are the two sockets by which Deno hears
// of signals: it opens them at the first listener, or by itself half a second after its start, and panics where it cannot.
await witness.call(() => 1);
const listener = (): void => {};
Deno.addSignalListener("SIGUSR2", listener);
Deno.removeSignalListener("SIGUSR2", listener);
for (const [number, one] of cells.entries()) {
  const cell = nameOf(one);
  const outcome = await play(one, number, place, witness, (at) => say({ cell, at }));
  say({ cell, outcome });
}
await group.terminate();
