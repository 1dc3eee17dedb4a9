/** What remote code may keep in the storage that Deno has for the web's interfaces, which takes no permission. */

import { assert, assertEquals } from "jsr:@std/assert@^1.0.19";
import { Group } from "../../mod.ts";
import { exists, withFolder } from "../helpers/folder.ts";
import { alone } from "./inside.ts";
import { OUTSIDE, PLACES } from "./places.ts";

/** Keeps something, and gives what was kept. */
const KEEP = `
  const cache = await caches.open("kept");
  await cache.put("http://kept/", new Response("kept"));
  globalThis.localStorage?.setItem("kept", "kept");
  await channel.send(await (await cache.match("http://kept/")).text());
`;

/** The same by an object that passes for the storage: it has the mark that Deno's own objects have. */
const FORGE = `
  const forged = Object.create(CacheStorage.prototype);
  const real = new Headers();
  for (const symbol of Object.getOwnPropertySymbols(real)) {
    if (symbol.description.includes("brand")) forged[symbol] = real[symbol];
  }
  const cache = await forged.open("kept");
  await cache.put("http://kept/", new Response("kept"));
  await channel.send("kept");
`;

/** Says what an earlier one has kept, or keeps something; by a Worker of its own, which is known by its text. */
const BY_WORKER = `
  const text = \`
    const cache = await caches.open("kept");
    const kept = await cache.match("http://kept/");
    if (!kept) await cache.put("http://kept/", new Response("kept"));
    postMessage(kept ? await kept.text() : "nothing");
  \`;
  const worker = new Worker("data:text/javascript," + encodeURIComponent(text), { type: "module" });
  await channel.send(await new Promise((resolve) => worker.onmessage = ({ data }) => resolve(data)));
  worker.terminate();
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
        const forged = await gateway.remoteExec(FORGE).receive().catch((error) => error.message);
        assertEquals(forged, "ReferenceError: CacheStorage is not defined", `${spec}${keys}`);
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

alone("keeping something in the storage of Deno by a Worker of its own", async () => {
  await withFolder(async (folder) => {
    await using group = new Group();
    for (const [i, { spec }] of OUTSIDE.entries()) {
      for (const found of ["nothing", "kept"]) {
        const gateway = await group.makeGateway(`${spec}//env:DENO_DIR=${folder}/${i}`, { stderr: "null" });
        assertEquals(await gateway.remoteExec(BY_WORKER).receive(), found, spec);
        await gateway.terminate();
      }
    }
  });
});
