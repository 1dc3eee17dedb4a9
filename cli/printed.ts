/** What gateways print while a progress bar is on the screen: above it, line by line. */

import type { Gateway } from "../mod.ts";
import { plain } from "./plain.ts";

/** What is printed without an end of line is passed on in such pieces. */
const MAX_PRINTED_CHARS = 64 * 1024;

/** Passes on what gateways that were made with `stderr: "piped"` print. Resolves when all of them have ended. */
export async function passOn(gateways: readonly Gateway[], tell: (line: string) => void): Promise<void> {
  const prefixed = gateways.length > 1;
  await Promise.all(gateways.map(async ({ id, stderr }) => {
    if (stderr === undefined) return;
    for await (const line of linesAsTheyAre(stderr)) {
      const text = plain(line.replace(/\r$/, ""));
      tell(prefixed ? `[${id}] ${text}` : text);
    }
  }));
}

/** The lines of what somebody prints, whatever it is. A very long one comes in pieces. */
export async function* linesAsTheyAre(input: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of input) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop()!;
    yield* lines;
    if (rest.length > MAX_PRINTED_CHARS) {
      yield rest;
      rest = "";
    }
  }
  if (rest !== "") yield rest;
}
