/** What to do about the library's errors. */

import { ConnectError, XSpecError } from "../mod.ts";
import { EXIT, Failure } from "./failure.ts";

/** What is told of an error: what failed, what to do, and the exit code. */
export function explain(error: unknown): Failure {
  if (error instanceof Failure) return error;
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof XSpecError) {
    return new Failure(message, "The keys of a spec are in docs/gateways.md", EXIT.usage, { cause: error });
  }
  if (error instanceof ConnectError) {
    return new Failure(message, "execnet doctor with the same spec says which step fails", EXIT.unreachable, {
      cause: error,
    });
  }
  return new Failure(message, "EXECNET_DEBUG=2 shows all that passes", EXIT.failed, { cause: error });
}
