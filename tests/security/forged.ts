/** What remote code may make this side believe by errors. */

import { assert, assertEquals, assertRejects } from "jsr:@std/assert@^1.0.19";
import * as execnet from "../../mod.ts";
import { EOFError, type Gateway, RemoteError } from "../../mod.ts";
import { explain } from "../../cli/explain.ts";
import { fromInside } from "./inside.ts";
import { PLACES } from "./places.ts";

/** The classes of errors that this side has, and names that ends of executions have. */
const CLAIMS: readonly string[] = [
  ...Object.keys(execnet).filter((name) => name.endsWith("Error")),
  "Killed",
  "AbortError",
  "NotCapable",
];

/** What a call gives that throws. */
async function thrown(gateway: Gateway, source: string): Promise<RemoteError> {
  return await assertRejects(() => gateway.call(`() => { ${source} }`), RemoteError) as RemoteError;
}

/** What an execution gives that throws. */
async function ended(gateway: Gateway, source: string): Promise<RemoteError> {
  return await assertRejects(() => gateway.remoteExec(source).waitClose(), RemoteError) as RemoteError;
}

fromInside("throwing an error that claims to be one of this side", PLACES, async ({ gateway }) => {
  assert(CLAIMS.length > 10, CLAIMS.join());
  const fields =
    "{ code: 0, signal: 'SIGKILL', requested: true, kind: 'auth', remoteName: 'x', gatewayId: 'y' }";
  const claiming = (claim: string): string =>
    `Object.assign(new Error("I am it"), ${fields}, { name: ${JSON.stringify(claim)} })`;
  const check = (error: RemoteError, claim: string): void => {
    assertEquals([error.constructor, error.remoteName], [RemoteError, claim]);
    assertEquals([error.gatewayId, error.cause], [gateway.id, undefined]);
    assert(!(error instanceof EOFError));
  };
  for (const claim of CLAIMS) check(await thrown(gateway, `throw ${claiming(claim)}`), claim);
  for (const claim of ["GatewayClosedError", "Killed"]) {
    check(await ended(gateway, `throw ${claiming(claim)}`), claim);
  }
  // What is sent and not thrown is no error of the channel at all.
  const channel = gateway.remoteExec(`channel.send([${CLAIMS.map(claiming)}])`);
  const items = await channel.receive() as unknown as Error[];
  assertEquals(items.map(({ name }) => name), CLAIMS);
  for (const item of items) assertEquals([Error, item.name], [item.constructor, item.name]);
  await channel.waitClose();
  assert(gateway.hasReceiver());
});

/** Each makes an error that is hard to tell of. */
const HARD: readonly string[] = [
  `const e = new Error("m".repeat(1e7)); e.stack = "s".repeat(1e7); e.field = "f".repeat(1e7); throw e`,
  `const e = new Error("e"); e.cause = e; e.errors = [e]; throw e`,
  `const a = new Error("a"), b = new Error("b", { cause: a }); a.cause = b; throw new AggregateError(Array(1e5).fill(a), "many")`,
  `throw Object.defineProperty(new Error("e"), "message", { get() { throw new Error("never") } })`,
  `throw Object.defineProperty(new Error("e"), "name", { value: { toString() { throw 1 } } })`,
  `throw new Proxy(new Error("e"), { get() { throw new Error("never") }, ownKeys() { throw 1 } })`,
  `throw new Proxy({}, { getPrototypeOf() { throw 1 }, get() { throw 1 } })`,
  `const e = new Error("e"); for (let i = 0; i < 1e5; i++) e["f" + i] = { deep: [i] }; throw e`,
  `const e = new Error("e"); for (let i = 0; i < 32; i++) e["f" + i] = "f".repeat(1e5); throw e`,
  `const e = new Error("e"); e.stack = ("    at x (" + "(".repeat(4000) + "\\n").repeat(1000); throw e`,
  `throw new DOMException("x".repeat(1e6), "DataCloneError")`,
  `throw null`,
];

/** What of it may arrive, in characters: an error fits into one frame. */
const MAX_CHARS = 600_000;

fromInside("throwing an error that is huge, endless or a trap", PLACES, async ({ gateway }) => {
  for (const how of [thrown, ended]) {
    for (const source of HARD) {
      const error = await how(gateway, source);
      assert(error.formatted.length < MAX_CHARS, `${error.formatted.length}: ${source}`);
      assert(Deno.inspect(error).length < 4 * MAX_CHARS, source);
    }
  }
  assert(gateway.hasReceiver());
  // Who shares an isolate with what cuts errors can keep it from that; then it is done here.
  const uncut = gateway.call(() => {
    Reflect.set(globalThis, "slice", String.prototype.slice);
    String.prototype.slice = function (): string {
      return String(this);
    };
    const error = new Error("m".repeat(1e5));
    error.stack = "<remote exec".repeat(1e4);
    throw error;
  });
  const error = await assertRejects(() => uncut, RemoteError) as RemoteError;
  assert(error.remoteMessage.length < 1e4 && error.remoteStack!.length < 1e4, "an error that was not cut");
  await gateway.call(() => {
    String.prototype.slice = Reflect.get(globalThis, "slice");
  });
});

/** What a terminal obeys, or what would pass for lines of somebody else. */
const STEERING =
  "\\x1b[2J\\x1b]0;title\\x07\\r[gw9] all is well\\u202e\\n    at trusted (file:///etc/passwd:1:1)";

// deno-lint-ignore no-control-regex -- what must not be there
const OBEYED = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]/;

fromInside("throwing an error whose text steers a terminal", PLACES, async ({ gateway }) => {
  const error = await thrown(
    gateway,
    `throw Object.assign(new Error("${STEERING}"), { name: "Odd${STEERING}", stack: "${STEERING}" })`,
  );
  // The text is the far side's, letter by letter; the command shows none of what steers.
  assert(error.remoteMessage.startsWith("\x1b[2J") && error.remoteStack!.includes("\x1b[2J"));
  assert(OBEYED.test(error.formatted));
  const { message, advice } = explain(error);
  assert(!OBEYED.test(message + advice), message);
  assert(message.startsWith(`Remote error on gateway "${gateway.id}":\n`), message);
  // What seems to say how an execution was ended is shown in one line.
  const ending = await thrown(gateway, `throw Object.assign(new Error("${STEERING}"), { name: "Killed" })`);
  // deno-lint-ignore no-control-regex -- what must not be there
  assert(OBEYED.test(ending.message) && !/[\n\x1b\x07\r\u202e]/.test(explain(ending).message));
});
