/** What an item may be, and the numbered kinds of binary data that the format tells apart. */

/** What of a channel is needed to name it inside an {@linkcode Item}; every `Channel` fits. */
export interface ChannelItem {
  /** The channel's number on its gateway. */
  readonly id: number;
  /** Whether the channel has ended. */
  isClosed(): boolean;
}

/**
 * A value that can be sent over a channel and comes out equal on the other side.
 *
 * - Plain objects are those whose prototype is `Object.prototype` or `null`; they arrive with `Object.prototype`.
 *   Their symbol keys are not sent, nor are extra properties of arrays and other built-in objects.
 * - Views arrive as copies with a buffer of their own; a `RegExp` arrives with `lastIndex` 0.
 * - An object that is referred to twice arrives as two objects; a cycle cannot be sent.
 */
export type Item =
  | null
  | undefined
  | boolean
  | number
  | bigint
  | string
  | Date
  | RegExp
  | URL
  | Error
  | ArrayBuffer
  | ArrayBufferView
  | ChannelItem
  | readonly Item[]
  | ReadonlyMap<Item, Item>
  | ReadonlySet<Item>
  | { readonly [key: string]: Item };

/** A constructor of binary data over an `ArrayBuffer`, as listed in {@linkcode BINARY_KINDS}. */
export interface BinaryConstructor {
  /** Views a whole buffer; throws a `RangeError` when its length does not divide. */
  new (buffer: ArrayBuffer): ArrayBufferView;
  /** What every instance inherits from. */
  readonly prototype: ArrayBufferView;
}

/** Binary data by its number in the format; `ArrayBuffer` itself is kind 0. The order is frozen. */
export const BINARY_KINDS: readonly (BinaryConstructor | undefined)[] = [
  undefined,
  DataView,
  Int8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
  (globalThis as { Float16Array?: BinaryConstructor }).Float16Array,
];

/** The format version that is written, and the only one that is read. */
export const FORMAT_VERSION = 1;

/** How many containers may nest, in both directions; the scalar inside them is not counted. */
export const MAX_DEPTH = 512;

/** The longest encoding of one item. */
export const MAX_ITEM_BYTES: number = 2 ** 31 - 1;

/** The extension types of the format, frozen; -1 is MessagePack's own timestamp. */
export const EXT = {
  /** One byte, of {@linkcode CONSTANT}. */
  CONSTANT: 0,
  /** A string with lone surrogates. */
  UTF16: 1,
  /** A bigint that fits neither 64-bit integer. */
  BIGINT: 2,
  /** A kind byte, an index of {@linkcode BINARY_KINDS}, and the bytes. */
  BINARY: 3,
  /** A Map. */
  MAP: 4,
  /** A Set. */
  SET: 5,
  /** A RegExp. */
  REGEXP: 6,
  /** A URL. */
  URL: 7,
  /** An Error. */
  ERROR: 8,
  /** A Channel. */
  CHANNEL: 9,
  /** A Date. */
  TIMESTAMP: -1,
} as const;

/** What the byte of an {@linkcode EXT} `CONSTANT` means. */
export const CONSTANT = {
  /** `undefined` */
  UNDEFINED: 0,
  /** An array's hole; nowhere else. */
  HOLE: 1,
  /** The Date whose time is NaN. */
  INVALID_DATE: 2,
} as const;
