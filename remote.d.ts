/**
 * The globals of remote code, for editors and `deno check`:
 *
 * ```ts ignore
 * /// <reference types="@execnet/execnet/remote" />
 *
 * for await (const path of channel) await channel.send(await Deno.readTextFile(String(path)));
 * ```
 *
 * They are there in every file of a program of which one asks for them. A module that says what its own channel carries
 * declares it itself, and needs nothing of this:
 *
 * ```ts ignore
 * import type { Channel } from "@execnet/execnet";
 *
 * declare const channel: Channel<string, number>;
 * ```
 *
 * @module
 */

/** The other end of the channel that the execution was started with. */
declare const channel: import("./channel/channel.ts").Channel;

/** Says that this code is an execution; other programs have no such name. */
declare const __name__: "__channelexec__";
