/** Errors that the code of an execution throws where nobody catches them. */

import { mapStack } from "./run.ts";

/** Prints one that belongs to nobody in particular. */
export function reportUncaught(error: unknown): void {
  const text = error instanceof Error ? mapStack(error.stack ?? error.message) : String(error);
  console.error(`execnet: an error that nobody caught: ${text}`);
}

/** Gives errors that nobody catches to `take`; where that has no use for them they end the isolate as usual. */
export function catchUncaught(take: (error: unknown) => boolean): void {
  addEventListener("error", (event) => {
    if (take(event.error)) event.preventDefault();
  });
  addEventListener("unhandledrejection", (event) => {
    if (take(event.reason)) event.preventDefault();
  });
}

/** The same for callbacks of `queueMicrotask`, whose errors end a process without an event. */
export function catchInMicrotasks(take: (error: unknown) => boolean): void {
  const queue = globalThis.queueMicrotask;
  globalThis.queueMicrotask = (callback) =>
    queue(() => {
      try {
        callback();
      } catch (error) {
        if (!take(error)) throw error;
      }
    });
}
