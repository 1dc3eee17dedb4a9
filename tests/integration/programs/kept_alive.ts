/** Makes a gateway of the spec given and calls it again and again. It says the pid of the far side, each ten calls, and the end. */

import { Group } from "../../../mod.ts";

const group = new Group();
const gateway = await group.makeGateway(Deno.args[0]!, { stderr: "null" });
const { pid } = await gateway.remoteInfo();
console.log(`far side ${pid}`);
try {
  for (let calls = 1;; calls++) {
    await gateway.call(() => new Promise((resolve) => setTimeout(resolve, 10)));
    if (calls % 10 === 0) console.log(`${calls} calls`);
  }
} catch (error) {
  console.log(`ended: ${(error as Error).name}`);
}
