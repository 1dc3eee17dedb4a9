/** Executions that are killed before they have said anything by their links. */

import { assert } from "jsr:@std/assert@^1.0.19";
import { settle, test } from "../helpers/bounded.ts";
import { memoryTransports } from "../helpers/memory_transport.ts";
import { Pair } from "../helpers/sessions.ts";
import { FrameType, makeFrame, writeUint48 } from "../../channel/frame.ts";
import { CloseFlag } from "../../channel/bypasses.ts";

test("links of executions that were killed before they said anything leave nothing behind", async () => {
  const pair = new Pair({ local: { takesLinks: true } });
  try {
    for (let number = 1; number <= 16_500; number++) {
      const [near] = memoryTransports();
      pair.local.addLink(near, number);
      assert(!near.aborted, `link ${number} is refused`);
      const end = pair.local.exec(null);
      const payload = new Uint8Array(6);
      writeUint48(payload, 0, number);
      pair.remote.control(makeFrame(FrameType.BYPASS, end.id, payload));
      pair.remote.control(
        makeFrame(FrameType.CLOSE, end.id, new Uint8Array(0), CloseFlag.LINKED | CloseFlag.CUT),
      );
      if (number % 500 === 0) await settle();
    }
  } finally {
    await pair.end();
  }
});
