/**
 * What runs on the far side of a gateway, and the server that gateways connect to:
 *
 * ```sh
 * deno run -A agent.ts --listen 8888 --allow read=/srv
 * ```
 *
 * `agent.js` is the same server in one file that needs no other.
 *
 * @module
 */

export { startAgent, startWorker } from "./gateway/agent/entry.ts";
export type { AgentStart } from "./gateway/process/config.ts";
export type { BypassPlace, RawLink, Revocation } from "./gateway/process/link.ts";

if (import.meta.main) {
  const { runServer } = await import("./gateway/server/main.ts");
  await runServer(Deno.args);
}
