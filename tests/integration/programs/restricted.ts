/** Makes a gateway with whatever permissions it was given; says what came of it. */

import { ConnectError, makeGateway } from "../../../mod.ts";

function print(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}

try {
  await using gateway = await makeGateway(Deno.args[0] ?? "popen");
  print(`got ${await gateway.remoteExec(`channel.send(42)`).receive()}`);
} catch (error) {
  if (!(error instanceof ConnectError)) throw error;
  print(`ConnectError ${error.kind}: ${error.message}`);
}
