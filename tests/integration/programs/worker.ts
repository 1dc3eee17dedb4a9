/** A program with a worker gateway: see worker_test.ts. */

import { makeGateway } from "../../../mod.ts";

const [spec, how] = Deno.args;
try {
  const gateway = await makeGateway(spec);
  // deno-lint-ignore no-console
  console.log(await gateway.remoteExec("channel.send(42)").receive());
  switch (how) {
    case "executing":
      await gateway.remoteExec(`await channel.send(1); await new Promise(() => {})`).receive();
      break;
    case "loop":
      await gateway.remoteExec(`await channel.send(1); while (true) {}`).receive();
      break;
    case "terminate": {
      await gateway.remoteExec(`await channel.send(1); while (true) {}`).receive();
      const { forced, reason } = await gateway.terminate(500);
      // deno-lint-ignore no-console
      console.log("forced", forced, reason);
    }
  }
} catch (error) {
  // deno-lint-ignore no-console
  console.log(`${(error as Error).name}: ${(error as Error).message}`);
}
