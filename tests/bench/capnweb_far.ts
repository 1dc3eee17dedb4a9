/** The far side of a Cap'n Web session over stdin and stdout. Run by capnweb.ts. */

import { RpcSession, RpcTarget } from "npm:capnweb@0.12.0";
import type { RpcTransport } from "npm:capnweb@0.12.0";

/** What the far side offers. */
export class Api extends RpcTarget {
  /** Gives back what it is given. */
  echo(value: number): number {
    return value;
  }

  /** A small computation. */
  increment(value: number): number {
    return value + 1;
  }
}

/** Carries messages as lines. Those that are sent in one turn leave in one write. */
export function lineTransport(
  lines: ReadableStreamDefaultReader<string>,
  write: (bytes: Uint8Array) => Promise<void>,
): RpcTransport {
  const encoder = new TextEncoder();
  let waiting = "";
  let writing: Promise<void> | undefined;
  const flush = async (): Promise<void> => {
    await Promise.resolve();
    while (waiting !== "") {
      const bytes = encoder.encode(waiting);
      waiting = "";
      await write(bytes);
    }
    writing = undefined;
  };
  return {
    send(message): Promise<void> {
      waiting += `${message}\n`;
      return writing ??= flush();
    },
    async receive(): Promise<string> {
      const { value, done } = await lines.read();
      if (done) throw new Error("The far side has ended");
      return value;
    },
  };
}

if (import.meta.main) {
  const { textLines } = await import("./player.ts");
  const writer = Deno.stdout.writable.getWriter();
  const transport = lineTransport(textLines(Deno.stdin.readable).getReader(), (bytes) => writer.write(bytes));
  new RpcSession(transport, new Api());
}
