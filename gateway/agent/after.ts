/** Timers of an agent. */

/**
 * Calls `action` after `ms` milliseconds. By way of a signal, because the first `setTimeout` of a Deno process loads
 * Node's timers and takes 6 ms for that, on the path of the first execution.
 */
export function after(ms: number, action: () => void): void {
  AbortSignal.timeout(ms).addEventListener("abort", action);
}
