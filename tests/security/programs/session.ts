/** A whole session with a server, and one with a server that it installs; prints what it sees, and last the tokens that were made here. */

import { Group } from "../../../mod.ts";

const [spec, wrong] = Deno.args as [string, string];
const tokens: string[] = [];
const { toBase64 } = Uint8Array.prototype;
Uint8Array.prototype.toBase64 = function (options): string {
  const text = toBase64.call(this, options as never);
  tokens.push(text);
  return text;
};

await using group = new Group();
const gateway = await group.makeGateway(spec, { stderr: "inherit" });
console.log(await gateway.call((n: number) => n + 1, 1), gateway, gateway.spec, String(gateway.spec));
await gateway.remoteExec("console.log(Deno.mainModule, Deno.args); throw new Error('why');").waitClose()
  .catch((error) => console.log(error, error.formatted));
for (
  const bad of [
    `${spec.split("//token_file=")[0]}//token_file=${wrong}`,
    `${spec.split("//token_file=")[0]}//token_file=${wrong}.twice`,
    `${spec}//allow-reed`,
    `${spec}//tls`,
  ]
) {
  await group.makeGateway(bad).catch((error) => console.log(error, Deno.inspect(error, { depth: 9 })));
}
await group.makeGateway("popen//id=hop//allow-run", { stderr: "null" });
const installed = await group.makeGateway("socket//installvia=hop", { stderr: "null" });
console.log("installed:", await installed.call((n: number) => n + 1, 2), installed.spec);
console.log(await group.terminate());
console.log(`\n--- tokens ---\n${JSON.stringify(tokens)}`);
