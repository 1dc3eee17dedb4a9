/**
 * Values, frames, windows, sessions and channels: all that both sides of a connection share. Nothing here touches a
 * process, a file or a socket.
 *
 * @module
 */

export { type CallbackOptions, Channel, type ChannelGateway, type SendOptions } from "./channel.ts";
export { dumps, loads } from "./codec.ts";
export {
  ChannelClosedError,
  DataFormatError,
  DumpError,
  EOFError,
  type GatewayClosedDetails,
  GatewayClosedError,
  LoadError,
  ProtocolError,
  TimeoutError,
} from "./errors.ts";
export type { ChannelItem, Item } from "./item.ts";
export { type ErrorData, RemoteError } from "./remote_error.ts";
export type { WaitOptions } from "./wait.ts";
