/** What remote code may keep in the storage that Deno has for the web's interfaces, which takes no permission. */

import { assert, assertEquals } from "jsr:@std/assert@^1.0.19";
import { Group } from "../../mod.ts";
import { exists, withFolder } from "../helpers/folder.ts";
import { alone } from "./inside.ts";
import { PLACES } from "./places.ts";

/** Keeps something, and gives what was kept. */
const KEEP = `
  const cache = await caches.open("kept");
  await cache.put("http://kept/", new Response("kept"));
  globalThis.localStorage?.setItem("kept", "kept");
  await channel.send(await (await cache.match("http://kept/")).text());
`;

alone("keeping something in the storage of Deno", async () => {
  await withFolder(async (folder) => {
    await using group = new Group();
    const ways = [...PLACES, { spec: "command=env", inside: false }];
    for (const { spec, inside } of ways) {
      const open = (name: string, keys: string): ReturnType<Group["makeGateway"]> =>
        group.makeGateway(`${spec}${inside ? "" : `//env:DENO_DIR=${folder}/${name}`}${keys}`, {
          stderr: "null",
        });
      for (const keys of ["", `//allow-write=${folder}`, "//allow-read", "//allow-all//deny-write"]) {
        const gateway = await open("none", keys);
        const channel = gateway.remoteExec(KEEP);
        const error = await channel.receive().catch((error) => error.message);
        assertEquals(error, "ReferenceError: caches is not defined", `${spec}${keys}`);
        const kind = await gateway.call(() => typeof globalThis.localStorage);
        assertEquals(kind, "undefined", `${spec}${keys}`);
        await gateway.terminate();
      }
      if (inside) continue;
      const gateway = await open("kept", "//allow-write");
      assertEquals(await gateway.remoteExec(KEEP).receive(), "kept", spec);
      await gateway.terminate();
    }
    assert(!exists(`${folder}/none/location_data`));
    assert(exists(`${folder}/kept/location_data`));
  });
});
