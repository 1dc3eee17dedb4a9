/** The job of script.ts. */

import type { Channel } from "../../../mod.ts";
import { lengthOf } from "./lengths.ts";

export default async function (channel: Channel<string, number>, { plus }: { plus: number }): Promise<void> {
  for await (const text of channel) await channel.send(lengthOf(text) + plus);
}
