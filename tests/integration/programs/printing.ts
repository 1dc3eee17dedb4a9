/** Makes a gateway with the mode of stderr that the first argument names, and lets remote code print. */

import { Group, type StderrMode } from "../../../mod.ts";

const mode = Deno.args[0]!;
await using group = new Group();
const gateway = await group.makeGateway("popen//id=alpha", mode === "" ? {} : { stderr: mode as StderrMode });
const copied = gateway.stderr?.pipeTo(Deno.stdout.writable);
await gateway.remoteExec(`
  console.error("one");
  console.error("two");
  await Deno.stderr.write(new TextEncoder().encode("three"));
`).waitClose();
gateway.exit();
await gateway.join();
await copied;
