/** What a hop says of the links of a program is looked at before it is believed. */

import { assert, assertEquals } from "jsr:@std/assert@^1.0.19";
import type { Channel } from "../../channel/channel.ts";
import type { Hop } from "../../gateway/transport/via.ts";
import { startThrough } from "../../gateway/transport/via.ts";
import { settle, test } from "../helpers/bounded.ts";
import { withPair } from "../helpers/sessions.ts";

type Bytes = Channel<Uint8Array, Uint8Array>;

test("a hop that tells of links without end is believed up to a limit, before and after somebody takes them", async () => {
  await withPair({}, async (pair) => {
    const channels = await Promise.all([pair.open(), pair.open(), pair.open()]);
    const [streams, output, control] = channels.map(({ near }) => near as unknown as Bytes);
    const { far } = channels[2]!;
    let asked = 0;
    const hop = {
      id: "hop",
      program: () => ({ streams, output, control }),
      link: () => {
        asked++;
        // It never says its number.
        return pair.local.newChannel() as unknown as Bytes;
      },
      keepAlive: () => {},
    } as unknown as Hop;
    const starting = startThrough(hop, ["true"], undefined, { nonce: "00" });
    await far.send({ pid: 1 });
    const program = await starting;
    const tell = async (): Promise<void> => {
      for (let i = 0; i < 3_000; i++) await far.send({ link: `link ${i}` });
      await settle();
    };
    await tell();
    assertEquals(asked, 0);
    program.openLinks!({ link: () => {}, noMore: () => {} });
    await tell();
    assert(asked >= 1_000 && asked <= 1_024, `${asked} links`);
  });
});
