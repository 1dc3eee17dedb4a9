/** Links as fast as Deno has them, and how a byte's way through one is timed. */

import { expect } from "./util.ts";

/** A link with no library. */
export interface Link {
  /** Reads into a buffer of its own; undefined at the end. */
  readExactly(length: number): Promise<Uint8Array | undefined>;
  /** Writes all. */
  write(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
}

interface Reader {
  read(into: Uint8Array): Promise<number | null>;
}

interface Writer {
  write(bytes: Uint8Array): Promise<number>;
}

/** A link of something that reads and something that writes. */
export function socketLink(reader: Reader & Writer, writer: Writer = reader): Link {
  return {
    async readExactly(length): Promise<Uint8Array | undefined> {
      const bytes = new Uint8Array(length);
      for (let got = 0; got < length;) {
        const count = await reader.read(got === 0 ? bytes : bytes.subarray(got));
        if (count === null) return undefined;
        got += count;
      }
      return bytes;
    },
    async write(bytes): Promise<void> {
      let done = await writer.write(bytes);
      while (done < bytes.length) done += await writer.write(bytes.subarray(done));
    },
  };
}

/** A link of the streams of a child process. */
export function streamLink(
  writer: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>,
  readable: ReadableStream<Uint8Array<ArrayBuffer>>,
): Link {
  const reader = readable.getReader({ mode: "byob" });
  return {
    async readExactly(length): Promise<Uint8Array | undefined> {
      const { value } = await reader.read(new Uint8Array(length), { min: length });
      return value?.length === length ? value : undefined;
    },
    write: (bytes) => writer.write(bytes),
  };
}

/** Microseconds for a byte to whatever echoes it and back; the mean of `size` round trips. */
export async function timeEcho(link: Link, size: number): Promise<number> {
  const byte = new Uint8Array(1);
  const began = performance.now();
  for (let i = 0; i < size; i++) {
    byte[0] = i % 100;
    await link.write(byte);
    expect((await link.readExactly(1))?.[0], i % 100, "the echo");
  }
  return (performance.now() - began) * 1000 / size;
}
