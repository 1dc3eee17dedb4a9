/** What the exit code of a process over there means here. */

import { GatewayClosedError, RemoteError } from "../mod.ts";
import { EXIT } from "./failure.ts";

/** The exit code of an execution whose process ended by itself, in order. Undefined where it did not. */
export function endOf(error: unknown): number | undefined {
  return exitCodeOf(error) === EXIT.ok ? EXIT.ok : undefined;
}

/** The exit code that the process of an execution ended with, where it is known. */
export function exitCodeOf(error: unknown): number | undefined {
  if (error instanceof GatewayClosedError && !error.requested) return known(error.code);
  // So the agent tells the end of an execution's own process.
  if (error instanceof RemoteError && /^The process of the execution ended/.test(error.remoteMessage)) {
    return known(error.fields.code);
  }
  return undefined;
}

/** 255 is ssh's own, for a connection that broke. */
function known(code: unknown): number | undefined {
  return typeof code === "number" && code >= 0 && code < 255 ? code : undefined;
}
