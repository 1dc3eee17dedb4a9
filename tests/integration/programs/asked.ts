/** Asks a gateway of each spec something and tells the answer, or the kind of the error. */

import { ConnectError, Group } from "../../../mod.ts";

await using group = new Group();
for (const spec of Deno.args) {
  try {
    const gateway = await group.makeGateway(`${spec}//allow-sys=uid`, { stderr: "null" });
    const answer = await gateway.call((x: number) => `${x + 1} uid ${Deno.uid()}`, 41);
    console.log(answer);
  } catch (error) {
    if (!(error instanceof ConnectError)) throw error;
    console.error(error.message);
    console.log(error.kind);
  }
}
