/**
 * Connects where the process of the URL in its first argument is expected, shows so many bytes of the proof as the third one
 * says, and holds the connection. Makes files that begin with the second one: `.up` with its process id, and `.closed` when
 * the other side has closed the connection.
 */

import { writeAll } from "../../../gateway/socket/wire.ts";

const [url, path, shown] = Deno.args as [string, string, string];
const zero = /const Z=(\{.*?\}),U=/s.exec(decodeURIComponent(url))![1]!;
const { path: socket, nonce } = JSON.parse(zero) as { path: string; nonce: string };
const connection = await Deno.connect({ transport: "unix", path: socket });
await writeAll(connection, Uint8Array.fromHex(nonce).subarray(0, Number(shown)));
await Deno.writeTextFile(`${path}.up`, String(Deno.pid));
const bytes = new Uint8Array(65_536);
while (await connection.read(bytes).catch(() => null) !== null);
await Deno.writeTextFile(`${path}.closed`, "closed");
