/** Functions whose free names are those of globals. A script, because Deno renames such names in TypeScript. */

import { Buffer } from "node:buffer";
import process from "node:process";
import { setTimeout } from "node:timers/promises";
import { refusal as CustomEvent } from "./refusal.ts";
import * as WebSocket from "./refusal.ts";
export { refusal as Blob, refusal as File } from "./refusal.ts";

const { fetch, other: Request, ...Headers } = { fetch: () => 1, other: 2 };
class Event {}
let handler = () => 1;
handler = null;

/** Functions that use what stands around them, each with the names of that. */
export const own = [
  [["fetch"], () => fetch("own 1")],
  [["Event"], () => [new Event(), Deno.pid, "own 2"]],
  [["Request", "Headers"], () => [Request, Headers, URL, "own 3"]],
  [["CustomEvent", "WebSocket"], async () => await CustomEvent(WebSocket)],
  [["setTimeout"], () => setTimeout(1, clearTimeout, "own 5")],
  [["handler"], () => typeof handler === "function" ? handler() : "own 6"],
  [["Event"], () => typeof Event === "undefined" ? "own 7" : 0],
  [["performance"], ((performance) => () => [performance, "own 8"])(1)],
  [["crypto"], ((...[crypto]) => () => () => [crypto, "own 9"])(1)],
];
for (const Storage of [1]) own.push([["Storage"], () => [Storage, "own 10"]]);
try {
  throw 1;
} catch (close) {
  own.push([["close"], () => [close, "own 11"]]);
}
{
  const channel = 1;
  own.push([["channel"], () => [channel, "own 12"]]);
  own.push([["channel"], () => [typeof channel, "own 13"]]);
}

/** Functions that use nothing of what stands around them. */
export const pure = [
  () => [performance, crypto, Storage, close, channel, "pure 1"],
  () => typeof channel === "undefined" ? "pure 2" : typeof neverDeclared,
  () => [Blob, File, "pure 3"],
  () => [process.pid, Buffer.alloc(1), "pure 4"],
  (Event) => {
    const fetch = Event;
    return [fetch, typeof handler, "pure 5"];
    // deno-lint-ignore no-var
    var handler;
  },
  function Request(n) {
    return [Request, n, "pure 6"];
  },
  () => ({ fetch: 1, Event() {}, x: self.fetch, "pure 7": class Headers {} }),
];
