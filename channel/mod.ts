/**
 * Values, frames, windows, sessions and channels: all that both sides of a connection share. Nothing here touches a
 * process, a file or a socket.
 *
 * @module
 */

export { type CallbackOptions, Channel, type ChannelGateway } from "./channel.ts";
export type { ChannelState, ChannelStatus } from "./channel_end.ts";
export type { ChannelFile, ChannelReadFile, ChannelWriteFile, FileOptions } from "./channel_file.ts";
export { dumps, loads } from "./codec.ts";
export type { CoercionOptions } from "./coerce.ts";
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
export type { Indivisible, Mirrored, MirroredArgs, ReceivedBy, SentBy } from "./mirrored.ts";
export { type ErrorData, RemoteError } from "./remote_error.ts";
export type { SendOptions, WaitOptions } from "./wait.ts";
