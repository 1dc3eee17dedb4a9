import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "jsr:@std/assert@^1.0.19";
import { TimeoutError } from "../../channel/errors.ts";
import { checkTimeout, steps, Waiter, waitFor } from "../../channel/wait.ts";
import type { WaitOptions } from "../../channel/wait.ts";
import { settle, test, watch } from "../helpers/bounded.ts";

const never = (): Promise<never> => new Promise(() => {});
const what = (): string => "No answer";

/** A signal that counts its listeners. */
class CountingSignal extends EventTarget {
  listeners = 0;
  aborted = false;
  reason: unknown;

  override addEventListener(type: string, listener: EventListener, options?: AddEventListenerOptions): void {
    this.listeners++;
    super.addEventListener(type, listener, options);
  }

  override removeEventListener(type: string, listener: EventListener): void {
    this.listeners--;
    super.removeEventListener(type, listener);
  }

  abort(reason: unknown): void {
    this.aborted = true;
    this.reason = reason;
    this.dispatchEvent(new Event("abort"));
  }
}

function counting(): { counter: CountingSignal; signal: AbortSignal } {
  const counter = new CountingSignal();
  return { counter, signal: counter as unknown as AbortSignal };
}

test("checkTimeout() takes undefined, 0, fractions and infinity", () => {
  for (const timeout of [undefined, 0, -0, 0.5, 1, 2 ** 31, Infinity]) checkTimeout(timeout);
});

test("checkTimeout() throws a RangeError for negative values and NaN", () => {
  for (const timeout of [-1, -0.001, -Infinity, NaN]) {
    assertStringIncludes(assertThrows(() => checkTimeout(timeout), RangeError).message, String(timeout));
  }
});

test("checkTimeout() throws a TypeError for what is no number", () => {
  for (const timeout of ["5", null, 5n, {}, true, Symbol("x")]) {
    assertThrows(() => checkTimeout(timeout as unknown as number), TypeError);
  }
});

test("Waiter settles once", async () => {
  const first = new Waiter<number>(undefined, what);
  assert(!first.settled);
  first.resolve(1);
  first.resolve(2);
  first.reject(new Error("late"));
  assert(first.settled);
  assertEquals(await first.promise, 1);
  const second = new Waiter<number>({}, what);
  const reason = new Error("no");
  second.reject(reason);
  second.resolve(1);
  assert(await assertRejects(() => second.promise) === reason);
});

test("Waiter gives up at once with a timeout of 0", async () => {
  const given: unknown[] = [];
  const waiter = new Waiter({ timeout: 0 }, what, (gaveUp) => given.push(gaveUp));
  assert(waiter.settled);
  assertEquals(given, [waiter]);
  const error = await assertRejects(() => waiter.promise, TimeoutError);
  assertEquals(error.message, "No answer after 0 ms");
});

test("Waiter gives up after its timeout, and says so once", async () => {
  let gaveUp = 0;
  const waiter = new Waiter({ timeout: 5 }, what, () => gaveUp++);
  const error = await assertRejects(() => waiter.promise, TimeoutError);
  assertEquals(error.message, "No answer after 5 ms");
  assertEquals(error.name, "TimeoutError");
  waiter.resolve(1);
  assertEquals(gaveUp, 1);
});

test("Waiter gives up with the reason of its signal", async () => {
  for (const reason of [new Error("enough"), "text", undefined]) {
    const controller = new AbortController();
    const { signal } = controller;
    let gaveUp = 0;
    const waiter = new Waiter({ signal }, what, () => gaveUp++);
    const watched = watch(waiter.promise);
    controller.abort(reason);
    await settle();
    assertEquals(watched.state, "rejected");
    assert(watched.reason === signal.reason);
    assertEquals(gaveUp, 1);
  }
});

test("Waiter gives up at once with a signal that is aborted already", async () => {
  let gaveUp = 0;
  const waiter = new Waiter({ signal: AbortSignal.abort("x"), timeout: 0 }, what, () => gaveUp++);
  assert(waiter.settled);
  assertEquals(watch(waiter.promise).state, "pending");
  await settle();
  assertEquals(await waiter.promise.catch((reason) => reason), "x");
  assertEquals(gaveUp, 1);
});

test("Waiter removes its timer and its listener however it ends", async () => {
  const ends: ((waiter: Waiter<number>, counter: CountingSignal) => void)[] = [
    (waiter) => waiter.resolve(1),
    (waiter) => waiter.reject(new Error("no")),
    (_, counter) => counter.abort("stop"),
  ];
  for (const end of ends) {
    const { counter, signal } = counting();
    // The test's own sanitizer finds the timer of an hour if it stays.
    const waiter = new Waiter<number>({ timeout: 3_600_000, signal }, what);
    assertEquals(counter.listeners, 1);
    const watched = watch(waiter.promise);
    end(waiter, counter);
    await settle();
    assert(watched.state !== "pending");
    assertEquals(counter.listeners, 0);
  }
  const { counter, signal } = counting();
  await assertRejects(() => new Waiter<number>({ timeout: 1, signal }, what).promise, TimeoutError);
  assertEquals(counter.listeners, 0);
});

test("Waiter leaves no listener when its timeout is bad", () => {
  const { counter, signal } = counting();
  for (const timeout of [-1, NaN]) {
    assertThrows(() => new Waiter({ timeout, signal }, what), RangeError);
  }
  assertThrows(() => new Waiter({ timeout: "1" as unknown as number, signal }, what), TypeError);
  assertEquals(counter.listeners, 0);
});

test("Waiter waits for ever with a timeout that no timer can hold", async () => {
  for (const timeout of [2 ** 31, Infinity]) {
    const waiter = new Waiter<number>({ timeout }, what);
    await settle();
    assert(!waiter.settled);
    waiter.resolve(1);
    await waiter.promise;
  }
});

test("waitFor() is the promise itself without a deadline", () => {
  const promise = Promise.resolve(1);
  for (
    const options of [undefined, {}, { timeout: undefined, signal: undefined }] as (WaitOptions | undefined)[]
  ) {
    assert(waitFor(promise, options, what) === promise);
  }
});

test("waitFor() passes on what the promise settles with", async () => {
  const { counter, signal } = counting();
  assertEquals(await waitFor(Promise.resolve(1), { timeout: 3_600_000, signal }, what), 1);
  const reason = new Error("no");
  const error = await assertRejects(() =>
    waitFor(Promise.reject(reason), { timeout: 3_600_000, signal }, what)
  );
  assert(error === reason);
  assertEquals(counter.listeners, 0);
});

test("waitFor() lets a settled promise win over a timeout of 0", async () => {
  assertEquals(await waitFor(Promise.resolve(1), { timeout: 0 }, what), 1);
});

test("waitFor() says the timeout that was given", async () => {
  for (const timeout of [0, 2]) {
    const error = await assertRejects(() => waitFor(never(), { timeout }, what), TimeoutError);
    assertEquals(error.message, `No answer after ${timeout} ms`);
  }
});

test("waitFor() rejects with the reason of the signal", async () => {
  const controller = new AbortController();
  const watched = watch(waitFor(never(), { signal: controller.signal }, what));
  controller.abort("enough");
  await settle();
  assertEquals([watched.state, watched.reason], ["rejected", "enough"]);
});

test("waitFor() rejects, and does not throw, for a bad timeout", async () => {
  for (const timeout of [-1, NaN]) {
    await assertRejects(() => waitFor(never(), { timeout }, what), RangeError);
  }
  await assertRejects(() => waitFor(never(), { timeout: "1" as unknown as number }, what), TypeError);
  await assertRejects(() => waitFor(never(), { timeout: null as unknown as number }, what), TypeError);
});

test("waitFor() handles a promise that rejects after the deadline", async () => {
  const { promise, reject } = Promise.withResolvers<number>();
  await assertRejects(() => waitFor(promise, { timeout: 1 }, what), TimeoutError);
  // The runner fails the test on an unhandled rejection.
  reject(new Error("late"));
  await settle();
});

test("steps() gives what is left of one deadline to each step", () => {
  assertEquals(steps(undefined)(), undefined);
  const { signal } = new AbortController();
  assertEquals(steps({ signal })(), { signal });
  assertEquals(steps({ timeout: 0, signal })(), { timeout: 0, signal, whole: 0 });
  assertEquals(steps({ timeout: Infinity })()?.timeout, Infinity);
  const left = steps({ timeout: 60_000 });
  const first = left()!.timeout!;
  const second = left()!.timeout!;
  assert(first <= 60_000 && second <= first && second > 0);
  assertEquals(left()!.whole, 60_000);
  assertThrows(() => steps({ timeout: -1 }), RangeError);
  assertThrows(() => steps({ timeout: "1" as never }), TypeError);
});
