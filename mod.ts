/**
 * Starts Deno processes, sends code into them, and talks with that code through channels. The remote code is allowed
 * exactly what the gateway's spec says, and nothing else.
 *
 * ```ts
 * import { makeGateway } from "@execnet/execnet";
 *
 * await using gw = await makeGateway("popen//allow-read=/var/log");
 * const channel = gw.remoteExec(`channel.send((await channel.receive()) as number + 1)`);
 * await channel.send(41);
 * console.log(await channel.receive()); // 42
 * ```
 *
 * @module
 */

export * from "./channel/mod.ts";
export * from "./gateway/mod.ts";
export * from "./rsync/mod.ts";
export {
  type ExecModel,
  type GatewayType,
  type PermissionKeysInit,
  type PermissionLists,
  type PermissionName,
  type Permissions,
  type PermissionsInit,
  XSpec,
  XSpecError,
  type XSpecInit,
} from "./xspec/mod.ts";
