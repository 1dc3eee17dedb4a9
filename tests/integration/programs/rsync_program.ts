/** Copies a folder, and kills itself when so much has been done. Arguments: source, target, bytes. */

import { makeGateway, RSync } from "../../../mod.ts";

const [source, dest, most] = Deno.args as [string, string, string];
const gateway = await makeGateway(`popen//allow-read=${dest}//allow-write=${dest}`);
const rsync = new RSync(source, {
  onProgress: ({ bytes, files }) => {
    if (bytes + files >= Number(most)) Deno.kill(Deno.pid, "SIGKILL");
  },
});
rsync.addTarget(gateway, dest);
await rsync.send();
