/** Where a process is met: whether there can be a Unix socket. */

import { assertEquals } from "jsr:@std/assert@^1.0.19";
import { openMeeting } from "../../gateway/process/socket_link.ts";
import type { SpawnOptions } from "../../gateway/process/process.ts";
import { XSpec } from "../../xspec/mod.ts";

Deno.test("a folder whose path has too many bytes for a socket is done without, however few its letters", () => {
  const outer = Deno.makeTempDirSync();
  try {
    const folder = `${outer}/${"é".repeat(40)}`;
    Deno.mkdirSync(folder);
    const { permissions } = new XSpec("popen");
    const meeting = openMeeting({ permissions, cwd: "/", folder } as SpawnOptions);
    meeting?.listener.close();
    assertEquals(meeting, undefined);
    assertEquals([...Deno.readDirSync(folder)], []);
  } finally {
    Deno.removeSync(outer, { recursive: true });
  }
});

Deno.test("a place that takes no folders is done without", () => {
  const { permissions } = new XSpec("popen");
  for (const folder of ["/proc", "/dev/null"]) {
    assertEquals(openMeeting({ permissions, cwd: "/", folder } as SpawnOptions), undefined);
  }
});
