/** Errors that the code of an execution throws where nobody catches them. */

import { mapStack } from "./run.ts";

/** Prints one that belongs to nobody in particular. */
export function reportUncaught(error: unknown): void {
  const text = error instanceof Error ? mapStack(error.stack ?? error.message) : String(error);
  console.error(`execnet: an error that nobody caught: ${text}`);
}

/** Where code that goes on after such errors, as a prompt does, puts the function that is told of them. */
const TAKER = Symbol.for("execnet.uncaught");

/** Tells the code itself, if it wants to be told. */
function toldItself(error: unknown): boolean {
  const taker: unknown = Reflect.get(globalThis, TAKER);
  if (typeof taker !== "function") return false;
  taker(error);
  return true;
}

/** Gives errors that nobody catches to `take`; where that has no use for them they end the isolate as usual. */
export function catchUncaught(take: (error: unknown) => boolean): void {
  addEventListener("error", (event) => {
    if (toldItself(event.error) || take(event.error)) event.preventDefault();
  });
  addEventListener("unhandledrejection", (event) => {
    if (toldItself(event.reason) || take(event.reason)) event.preventDefault();
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
        if (!toldItself(error) && !take(error)) throw error;
      }
    });
}
