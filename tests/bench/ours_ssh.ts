/** Measures how gateways of this library start over ssh. Run as a part of ours.ts. */

import { Group } from "../../mod.ts";
import { specFor } from "./ours_gateways.ts";
import type { Figures, Task } from "./player.ts";
import { expect } from "./util.ts";

/**
 * Milliseconds until a gateway is ready and until its first item. The kind is a model, with `shared` before it where
 * another gateway to the host is there already, whose connection it shares.
 */
export async function startSsh({ kind, size }: Task): Promise<Figures> {
  const [model = "", way] = kind.split("+").reverse();
  const spec = specFor(`ssh+${model}`);
  const total = { ready: 0, first: 0 };
  for (let i = 0; i < size; i++) {
    await using group = new Group();
    if (way === "shared") {
      const other = await group.makeGateway(specFor("ssh+main"));
      expect(await other.remoteExec("channel.send(1)").receive(), 1, "the other gateway's item");
    }
    const began = performance.now();
    const gateway = await group.makeGateway(spec);
    total.ready += performance.now() - began;
    expect(await gateway.remoteExec("channel.send(1)").receive(), 1, "the first item");
    total.first += performance.now() - began;
  }
  return { ready: total.ready / size, first: total.first / size };
}
