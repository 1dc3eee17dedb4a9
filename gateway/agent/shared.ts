/** The `main` model: all executions of a gateway share the agent's isolate. */

import { ProtocolError } from "../../channel/errors.ts";
import type { Transport } from "../../channel/transport.ts";
import type { AgentConfig } from "../process/config.ts";
import { answers } from "./facts.ts";
import { Host } from "./host.ts";
import { cutSpans } from "./spans.ts";
import { catchUncaught, reportUncaught } from "./uncaught.ts";

/** Serves a gateway from this isolate. `exit` ends the isolate. */
export function serveShared(
  transport: Transport,
  config: AgentConfig,
  first: Uint8Array,
  exit: (code: number) => void,
): void {
  const answer = answers(config);
  const host: Host = new Host(transport, {
    name: config.name,
    firstId: 2,
    shared: true,
    first,
    keepalive: config.keepalive,
    handlers: {
      terminate: () => {
        cutSpans();
        exit(0);
      },
      kill: (channel, reason) => host.abandon(channel, reason),
      request: (kind) =>
        answer(kind, {
          numExecuting: host.executing,
          numQueued: 0,
          numChannels: host.channels,
          numRunaway: 0,
        }),
    },
  });
  catchUncaught((error) => {
    reportUncaught(error);
    return true;
  });
  void host.session.ended.then((reason) => {
    if (reason instanceof ProtocolError) console.error(`execnet: ${reason.message}`);
    exit(reason === undefined ? 0 : 1);
  });
}
