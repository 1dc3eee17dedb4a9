/** Holds three channels of a gateway until it is killed. */

import { makeGateway } from "../../../mod.ts";

await using gateway = await makeGateway("worker//allow-all");
// One item goes there, and one comes back: the channel's bytes are those of a connection within this program.
const echo = gateway.remoteExec("for await (const item of channel) await channel.send(item)");
await echo.send("item");
await echo.receive();
gateway.newChannel();
gateway.newChannel();
// Waiting keeps the program alive.
await echo.receive();
