/** What remote code may keep in the storage that Deno has for the web's interfaces, which takes no permission. */

import { assert, assertEquals } from "jsr:@std/assert@^1.0.19";
import { Group } from "../../mod.ts";
import { exists, withFolder } from "../helpers/folder.ts";
import { alone } from "./inside.ts";
import { OUTSIDE } from "./places.ts";

/** All ways of reaching a process that differ in what its first code is called, which the storage is kept by. */
const SPECS: readonly string[] = [
  ...OUTSIDE.map(({ spec }) => spec),
  "command=env",
  "command=env//execmodel=main",
];

/** Gives what was kept before, and keeps something. */
const KEEP = `
  const cache = await caches.open("kept");
  const response = await cache.match("http://kept/");
  const seen = [await response?.text(), globalThis.localStorage?.getItem("kept")];
  await cache.put("http://kept/", new Response("kept"));
  globalThis.localStorage?.setItem("kept", "kept");
  const again = await cache.match("http://kept/");
  await channel.send([...seen.map((one) => one ?? null), await again.text()]);
`;

alone("keeping something in the storage of Deno", async () => {
  await withFolder(async (folder) => {
    await using group = new Group();
    for (const spec of ["worker", "worker//execmodel=main", ...SPECS]) {
      for (const keys of ["", `//allow-write=${folder}/own`]) {
        const env = spec.startsWith("worker") ? "" : `//env:DENO_DIR=${folder}/none`;
        const gateway = await group.makeGateway(`${spec}${env}${keys}`, { stderr: "null" });
        const kinds = await gateway.call(() => [typeof globalThis.caches, typeof globalThis.localStorage]);
        assertEquals(kinds, ["undefined", "undefined"], spec);
        await gateway.terminate();
      }
    }
    assert(!exists(`${folder}/none/location_data`));
    for (const spec of SPECS) {
      for (let i = 0; i < 2; i++) {
        const gateway = await group.makeGateway(`${spec}//env:DENO_DIR=${folder}//allow-write`, {
          stderr: "null",
        });
        const channel = gateway.remoteExec(KEEP);
        assertEquals(await channel.receive(), [null, null, "kept"], spec);
        await channel.waitClose();
        await gateway.terminate();
      }
    }
    // It stays on the disk, for nobody.
    assert([...Deno.readDirSync(`${folder}/location_data`)].length > 0);
  });
});
