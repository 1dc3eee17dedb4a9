/** The spans of executions on the far side, as parts of their callers' traces. */

import { errorData } from "../../channel/remote_error.ts";
import { markFailed, registered, rpcAttributes, SCOPE, spanName } from "../process/otel.ts";
import type { Span, TraceContext } from "../process/otel.ts";
import { mapStack } from "./run.ts";

// Taken before any code of users runs, which may share this isolate.
const OTEL = registered();
const TRACER = OTEL?.trace?.getTracer(SCOPE);
const ROOT = OTEL?.context?.active();

/** Longer than any header that means something. */
const MAX_HEADER_LENGTH = 8192;

/** Reads what came over the wire. What is no text is not there, and what is malformed the propagator ignores. */
const HEADERS = {
  get(carrier: unknown, key: string): string | undefined {
    const value = Object(carrier)[key];
    if (typeof value !== "string" || value.length > MAX_HEADER_LENGTH) return undefined;
    // But for this one, of which it complains on stderr.
    return key === "baggage" && !isDecodable(value) ? undefined : value;
  },
  keys: (carrier: unknown): string[] => Object.keys(Object(carrier)),
};

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

const open = new Set<Span>();

/**
 * Does the work of an execution, as a span of its caller's trace where there is one and OpenTelemetry is on here. What
 * the work starts belongs to that span. `quiet` tells which errors are none.
 */
export function spanned<T>(
  asked: unknown,
  gateway: string,
  work: () => Promise<T>,
  quiet: (error: unknown) => boolean = () => false,
): Promise<T> {
  if (asked === undefined || TRACER === undefined || OTEL!.propagation === undefined) return work();
  const trace: TraceContext = {
    kind: HEADERS.get(asked, "kind") ?? "exec",
    method: HEADERS.get(asked, "method") ?? "",
  };
  const attributes = rpcAttributes(trace, gateway);
  const parent = OTEL!.propagation.extract(ROOT!, asked, HEADERS);
  return TRACER.startActiveSpan(
    spanName(trace),
    { kind: 1, attributes },
    parent,
    async (span) => {
      open.add(span);
      try {
        return await work();
      } catch (error) {
        if (!quiet(error)) markFailed(span, errorData(error, mapStack));
        throw error;
      } finally {
        if (open.delete(span)) span.end();
      }
    },
  );
}

/** Ends the spans of what is cut off now, for nobody will. */
export function cutSpans(): void {
  for (const span of open) {
    markFailed(span, { name: "Ended", message: "The execution was ended" });
    span.end();
  }
  open.clear();
}
