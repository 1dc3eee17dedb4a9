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
    case "printing": {
      // More than is taken while it is on its way, and printed when nobody takes it any more.
      const channel = gateway.remoteExec(`
        addEventListener("unload", () => {
          for (let i = 0; i < 60; i++) console.log("x".repeat(100_000));
        });
        Deno.exit(3);
      `);
      await channel.waitClose().catch(() => {});
      break;
    }
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
