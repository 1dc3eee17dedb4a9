/**
 * The program that plays the far sides of gateways: as a server by TCP, and for local processes whose place `wrapper.sh`
 * has taken. The id of a gateway says which script it gets.
 */

import { importToken } from "../../gateway/socket/proof.ts";
import { FrameType } from "../../channel/frame.ts";
import { CallerGone, CALLS, EXECUTION, Far } from "./far.ts";
import { serverWay, unixWay } from "./far_way.ts";
import type { Way } from "./far_way.ts";
import { GREETINGS } from "./greetings.ts";
import { SCRIPTS } from "./scripts.ts";
import type { Script } from "./scripts.ts";

const [folder] = Deno.args as [string];

/** What a script is called in the id of a gateway. */
function scriptName(id: string): string {
  return id.slice(id.indexOf("_") + 1);
}

async function play(id: string, way: Way): Promise<void> {
  const far = new Far(way);
  const name = scriptName(id);
  const greeting = GREETINGS.find((one) => one.name === name);
  const script = SCRIPTS.find((one) => one.name === name);
  try {
    if (greeting !== undefined) await greeting.play(far);
    else await playScript(far, script!);
  } catch (error) {
    if (!(error instanceof CallerGone)) throw error;
  } finally {
    await way.close();
  }
}

async function playScript(far: Far, script: Script): Promise<void> {
  await far.greet();
  for (const id of [EXECUTION, CALLS]) await far.hears(FrameType.EXEC, id);
  await far.hears(FrameType.REQUEST);
  try {
    await script.play(far);
    if (script.ends !== undefined) return;
    if (script.says === undefined) await far.goOn();
    await far.ended;
  } catch (error) {
    if (!(error instanceof CallerGone) || !script.stays) throw error;
    await stay(far);
  }
}

/** Does not care that nobody listens, until it is killed. */
async function stay(far: Far): Promise<void> {
  try {
    while (true) {
      await far.way.print(new Uint8Array([0x2e]));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  } catch {
    // It would have been killed now.
  }
}

async function serveLocal(): Promise<void> {
  // Also open for writing, so that it has no end.
  const calls = await Deno.open(`${folder}/calls`, { read: true, write: true });
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of calls.readable) {
    text += decoder.decode(chunk, { stream: true });
    const lines = text.split("\n");
    text = lines.pop()!;
    for (const id of lines) {
      unixWay(folder, id).then((way) => play(id, way)).catch((error) => console.error(id, error));
    }
  }
}

async function serveClients(listener: Deno.TcpListener): Promise<void> {
  const token = await importToken((await Deno.readTextFile(`${folder}/token`)).trim());
  for await (const connection of listener) {
    connection.setNoDelay(true);
    serverWay(connection, token).then(([id, way]) => play(id, way)).catch((error) => console.error(error));
  }
}

const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
void serveLocal();
void serveClients(listener);
console.log(listener.addr.port);
// It ends with whoever has started it.
while (await Deno.stdin.read(new Uint8Array(16)) !== null);
Deno.exit(0);
