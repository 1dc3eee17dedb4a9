/** What remote code makes of prototypes: those that it shares with the agent, and those of this side. */

import { assert, assertEquals } from "jsr:@std/assert@^1.0.19";
import { type Gateway, RemoteError } from "../../mod.ts";
import { fromInside } from "./inside.ts";
import { PLACES } from "./places.ts";

/** Puts something that throws in the place of nearly everything that a session uses. */
const SPOIL = `
  const bad = () => { throw new Error("spoilt") };
  const spoil = [
    [Map, "get", "set", "has", "delete", "values"], [Set, "add", "has", "delete"],
    [Uint8Array, "set", "subarray", "slice", "fill"], [Promise, "then", "catch", "finally"],
    [Array, "push", "splice", "shift", "map", Symbol.iterator], [String, "split", "includes", "replace"],
    [TextDecoder, "decode"], [TextEncoder, "encode", "encodeInto"], [DataView, "getFloat64", "setFloat64"],
    [Function, "call", "apply", "bind"], [RegExp, "test", "exec"],
  ];
  const statics = [[Object, "keys", "defineProperty", "assign"], [JSON, "parse", "stringify"],
    [Promise, "race", "all", "withResolvers"], [globalThis, "queueMicrotask", "setTimeout", "Uint8Array", "Map"]];
  await channel.send("about to");
  await channel.receive();
  for (const name of ["kind", "source", "name", "then", "cause", "0", "channel"]) {
    Object.defineProperty(Object.prototype, name, { get: bad, set: bad, configurable: true });
  }
  for (let i = 0; i < spoil.length; i++) {
    for (let j = 1; j < spoil[i].length; j++) spoil[i][0].prototype[spoil[i][j]] = bad;
  }
  for (let i = 0; i < statics.length; i++) {
    for (let j = 1; j < statics[i].length; j++) statics[i][0][statics[i][j]] = bad;
  }
`;

/** What of this side could have been reached. */
function prototypesHere(): string[] {
  return [Object, Array, Map, Set, Uint8Array, Promise, String, Function, Error].flatMap((
    { name, prototype },
  ) =>
    Reflect.ownKeys(prototype).map((key) => {
      const { value, get } = Object.getOwnPropertyDescriptor(prototype, key)!;
      return `${name}.${String(key)} ${typeof value === "function" ? value : get ?? ""}`;
    })
  );
}

fromInside("spoiling the prototypes that the agent uses", PLACES, async ({ place, open }) => {
  const before = prototypesHere();
  const gateway = await open();
  const victim = gateway.remoteExec(`for await (const item of channel) await channel.send([item]);`);
  await victim.send(1);
  assertEquals(await victim.receive(), [1]);
  const vandal = gateway.remoteExec(SPOIL);
  assertEquals(await vandal.receive(), "about to");
  await vandal.send(null);
  if (place.apart) {
    // It may have harmed itself so that not even its end is told.
    await vandal.waitClose({ timeout: 300 }).catch(() => vandal.kill());
    await victim.send(2);
    assertEquals(await victim.receive(), [2]);
    assertEquals(await gateway.call((n: number) => n + 1, 1), 2);
    await victim.closeWrite();
    await victim.waitClose();
  } else {
    // All that shares the isolate may be lost with it; the gateway still ends.
    await victim.send(2).catch(() => {});
    const answer = await victim.receive({ timeout: 300 }).catch((error) => error);
    assert(!Array.isArray(answer) || answer[0] === 2, Deno.inspect(answer));
  }
  const { reason } = await gateway.terminate(1_500);
  if (place.apart) assertEquals(reason, "requested");
  assertEquals(prototypesHere(), before);
});

/** An object whose keys are names that a careless reader would follow, as text of code. */
const EVIL = `JSON.parse('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":2}},' +
  '"toString":3,"hasOwnProperty":4,"then":5,"inner":{"__proto__":{"polluted":6}}}')`;

/** Every object in a value is what it seems, and its odd keys are its own. Gives how many had them. */
function checkPlain(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  if (value instanceof Map || value instanceof Set) {
    return [...value.entries()].flat().reduce((sum: number, one) => sum + checkPlain(one), 0);
  }
  if (!(value instanceof Error)) {
    assertEquals(Object.getPrototypeOf(value), Array.isArray(value) ? Array.prototype : Object.prototype);
  }
  const parts = Object.keys(value).map((key) => Reflect.get(value, key));
  return parts.reduce((sum: number, one) => sum + checkPlain(one), Object.hasOwn(value, "__proto__") ? 1 : 0);
}

async function received(gateway: Gateway, source: string, mapsAsObjects = false): Promise<unknown> {
  const channel = gateway.remoteExec(source);
  channel.reconfigure({ mapsAsObjects });
  const item = await channel.receive();
  await channel.waitClose();
  return item;
}

fromInside("sending keys that reach for a prototype", PLACES, async ({ gateway }) => {
  const before = prototypesHere();
  assertEquals(checkPlain(await received(gateway, `channel.send(${EVIL})`)), 2);
  const nested = `[${EVIL}, new Map([["__proto__", ${EVIL}], [[], 1]]), new Set([${EVIL}])]`;
  assertEquals(checkPlain(await received(gateway, `channel.send(${nested})`)), 8);
  // Of a Set, entries() has each element twice.
  assertEquals(
    checkPlain(await received(gateway, `channel.send(new Map([["__proto__", ${EVIL}]]))`, true)),
    3,
  );
  const error = `Object.defineProperties(new Error("e"), Object.getOwnPropertyDescriptors(${EVIL}))`;
  checkPlain(await received(gateway, `channel.send(${error})`));
  const thrown = await received(gateway, `throw ${error}`).catch((error) => error);
  if (!(thrown instanceof RemoteError)) throw new Error(`It gave ${Deno.inspect(thrown)}`);
  checkPlain(thrown.fields);
  assertEquals(Reflect.get(thrown.fields, "polluted"), undefined);
  const text = `{"__proto__":{"polluted":7}}`;
  assertEquals(checkPlain(await gateway.call((text: string) => JSON.parse(text), text)), 1);
  const items = gateway.stream(function* (text: string): Generator<unknown> {
    yield JSON.parse(text);
  }, text);
  for await (const item of items) assertEquals(checkPlain(item), 1);
  assertEquals([Reflect.get({}, "polluted"), Reflect.get([], "polluted")], [undefined, undefined]);
  assertEquals(prototypesHere(), before);
});
