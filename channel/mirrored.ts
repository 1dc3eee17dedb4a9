/** Types as the two ends of a connection see them. Types only. */

import type { Channel } from "./channel.ts";
import type { Item } from "./item.ts";

/** What has no parts that could be channels. */
export type Indivisible =
  | Date
  | RegExp
  | URL
  | Error
  | ArrayBuffer
  | ArrayBufferView
  // deno-lint-ignore no-explicit-any -- any function
  | ((...args: any[]) => unknown);

/**
 * What is passed here where the far side expects `T`: the same, but for channels in it, which are seen from their other
 * end: where the far side receives strings, this side sends them.
 *
 * @typeParam T what the far side gets
 */
export type Mirrored<T> = [Item] extends [T] ? T
  : T extends Channel<infer Recv, infer Send> ? Channel<Send, Recv>
  : T extends Indivisible ? T
  : T extends Map<infer Key, infer Value> ? Map<Mirrored<Key>, Mirrored<Value>>
  : T extends Set<infer Value> ? Set<Mirrored<Value>>
  : T extends object ? { [Key in keyof T]: Mirrored<T[Key]> }
  : T;

/**
 * The same for the arguments of a function.
 *
 * @typeParam A the function's parameters
 */
export type MirroredArgs<A extends unknown[]> = { [Index in keyof A]: Mirrored<A[Index]> };

/**
 * What a channel gives here.
 *
 * @typeParam C the channel
 */
// deno-lint-ignore no-explicit-any -- of any channel
export type ReceivedBy<C> = C extends Channel<infer Recv, any> ? Recv : never;

/**
 * What a channel takes here.
 *
 * @typeParam C the channel
 */
// deno-lint-ignore no-explicit-any -- of any channel
export type SentBy<C> = C extends Channel<any, infer Send> ? Send : never;
