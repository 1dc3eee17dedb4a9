/**
 * Gateways and groups: processes that execute what they are sent.
 *
 * @module
 */

export type { GatewayOptions } from "./connect.ts";
export {
  ConnectError,
  type ConnectErrorDetails,
  type ConnectErrorKind,
  HostNotFoundError,
} from "./errors.ts";
export type {
  ExecOptions,
  JobChannel,
  KwargsOf,
  ModuleFunction,
  ModuleOptions,
  Streamable,
} from "./executions.ts";
export { Gateway, type RemoteInfo, type RemoteStatus } from "./gateway.ts";
export { defaultGroup, Group, makeGateway, type TerminateOptions } from "./group.ts";
export {
  type AnyChannel,
  MultiChannel,
  type ReceiveEachOptions,
  type ReceiveQueue,
  type ReceiveQueueOptions,
} from "./multi_channel.ts";
export type { MapFailure, MapOptions, MapProgress } from "./pool_map.ts";
export type { StderrMode } from "./output.ts";
export type { GatewayExit } from "./stop.ts";
