/**
 * Measures Cap'n Web over the stdin and stdout of a Deno process. Its functions are there already, in one isolate: it
 * sends no code and separates nothing. Run by the driver; see player.ts.
 */

import { RpcSession } from "npm:capnweb@0.12.0";
import type { RpcStub } from "npm:capnweb@0.12.0";
import { lineTransport } from "./capnweb_far.ts";
import type { Api } from "./capnweb_far.ts";
import { serve, textLines } from "./player.ts";
import type { Task } from "./player.ts";
import { expect, inLanes } from "./util.ts";

const child = new Deno.Command(Deno.execPath(), {
  args: ["run", "--quiet", "-A", new URL("./capnweb_far.ts", import.meta.url).pathname],
  stdin: "piped",
  stdout: "piped",
}).spawn();
const writer = child.stdin.getWriter();
const session = new RpcSession<Api>(
  lineTransport(
    textLines(child.stdout).getReader(),
    (bytes) => writer.write(bytes as Uint8Array<ArrayBuffer>),
  ),
);
const api: RpcStub<Api> = session.getRemoteMain();

async function ping({ size }: Task): Promise<number> {
  const began = performance.now();
  for (let i = 0; i < size; i++) expect(await api.echo(i % 100), i % 100, "the echo");
  return (performance.now() - began) * 1000 / size;
}

async function calls100({ size }: Task): Promise<number> {
  const began = performance.now();
  await inLanes(100, size, async (i) => expect(await api.increment(i), i + 1, "the result"));
  return size * 1000 / (performance.now() - began);
}

await serve({ ping, "calls-100": calls100 }, async () => {
  await writer.close();
  await child.status;
});
