/** Makes a gateway with the spec of the first argument, uses it once, and reaches its end with what the second names. */

import { makeGateway, RSync } from "../../../mod.ts";

const [spec, wait] = Deno.args as [string, string];

function print(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(`${text}\n`));
}

const gateway = await makeGateway(spec);
print(String(await gateway.remoteExec(`channel.send(42)`).receive()));
const later = `await new Promise((resolve) => setTimeout(resolve, 300)); channel.send(1)`;
const done = (): void => print(`${wait} done`);
switch (wait) {
  case "idle":
    break;
  case "copied": {
    const dest = Deno.makeTempDirSync();
    const rsync = new RSync(new URL(".", import.meta.url));
    rsync.addTarget(gateway, dest);
    const [result] = await rsync.send();
    if (result!.errors.length > 0) throw result!.errors[0];
    Deno.removeSync(dest, { recursive: true });
    break;
  }
  case "executing":
    await gateway.remoteExec(`channel.send(1); await new Promise(() => {})`).receive();
    break;
  case "receive":
    gateway.remoteExec(later).receive().then(done);
    break;
  case "iteration":
    Array.fromAsync(gateway.remoteExec(later)).then(done);
    break;
  case "callback":
    gateway.remoteExec(later).setCallback(() => {}, { endMarker: undefined });
    gateway.remoteExec(later).setCallback((item) => item === undefined && done(), { endMarker: undefined });
    break;
  case "waitClose":
    gateway.remoteExec(later).waitClose().then(done);
    break;
  case "status":
    gateway.remoteStatus().then(done);
    break;
  case "send": {
    const channel = gateway.remoteExec(`
      await new Promise((resolve) => setTimeout(resolve, 300));
      for await (const item of channel);
    `);
    channel.send(new Uint8Array(8_000_000)).then(done);
    break;
  }
  default:
    throw new TypeError(`Unknown: ${wait}`);
}
print("end of main");
