/** The entry of `agent.js`: the server in one file. */

import { runServer } from "./main.ts";

await runServer(Deno.args);
