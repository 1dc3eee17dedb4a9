/** Makes a gateway behind a hop that has a folder over there, tells of both, and waits to be killed. */

import { Group } from "../../../mod.ts";
import { exists } from "../../helpers/folder.ts";

const far = "popen//via=hop//allow-run//allow-net//chdir=/";
const group = await Group.create(["popen//id=hop//allow-run//allow-net", far], { stderr: "null" });
const { pid } = await group.get(1)!.remoteInfo();
const environment = await Deno.readTextFile(`/proc/${pid}/environ`);
const folders = [...environment.matchAll(/EXECNET_GATEWAY_([0-9a-f]{32})=/g)]
  .map(([, mark]) => `/tmp/execnet-${mark}`)
  .filter(exists);
console.log(JSON.stringify({ pid, folders }));
setInterval(() => {}, 1000);
