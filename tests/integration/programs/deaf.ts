/** Closes its own stderr and lets remote code print, which hears nothing of that. The argument is the mode of stderr. */

import { Group, type StderrMode } from "../../../mod.ts";

Deno.stderr.close();
await using group = new Group();
const gateway = await group.makeGateway("popen", { stderr: Deno.args[0] as StderrMode });
const channel = gateway.remoteExec(`
  const line = new TextEncoder().encode("x".repeat(999) + "\\n");
  for (let i = 0; i < 1_000; i++) await Deno.stderr.write(line);
  console.error("the last words");
  channel.send("printed");
`);
console.log(await channel.receive());
gateway.exit();
console.log((await gateway.join()).stderrTail.slice(-14));
