/** Serves the contents of files: remote code reads what it is asked for, and may read one folder only. */

import { type Channel, makeGateway } from "../mod.ts";

const root = `${import.meta.dirname}/..`;
await using gateway = await makeGateway({ popen: true, chdir: root, allowRead: ["docs"] });

// An error is an item like any other, so that the server goes on after a refusal.
const files = gateway.remoteExec(async (channel: Channel<string, Uint8Array | Error>) => {
  for await (const path of channel) {
    await channel.send(await Deno.readFile(path).catch((error) => error));
  }
});

for (const path of ["docs/architecture.md", "README.md", "/etc/passwd", "docs/tracing.md"]) {
  await files.send(path);
  const content = await files.receive();
  console.log(path, "→", content instanceof Error ? content.message : `${content.length} bytes`);
}
