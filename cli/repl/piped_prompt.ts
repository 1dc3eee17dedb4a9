/** A prompt without a terminal: the lines of standard input are a program, up to its first error. */

import type { GatewayExit, GatewayOptions, Group } from "../../mod.ts";
import { EXIT, Failure } from "../failure.ts";
import type { Terminal } from "../terminal.ts";
import { Prompt } from "./prompt.ts";

/** Evaluates input by input. Resolves with whether all went well, or with the connection's end. */
export async function promptOfPipe(
  group: Group,
  spec: string,
  options: GatewayOptions,
  { input, write, style, errorStyle, outputIsTerminal, tell, signal }: Terminal,
): Promise<boolean | GatewayExit> {
  const prompt = await Prompt.start(group, spec, options, {
    style,
    errorStyle,
    colours: outputIsTerminal && style.bold("") !== "",
    showsNothing: false,
    show: write,
    value: write,
    tell: (text) => tell(text.replace(/\n$/, "")),
  });
  const told = Promise.withResolvers<never>();
  const stop = (): void => told.reject(signal.reason);
  signal.addEventListener("abort", stop);
  try {
    return await Promise.race([program(prompt, input), prompt.over, told.promise]);
  } finally {
    signal.removeEventListener("abort", stop);
    await prompt.close();
  }
}

async function program(prompt: Prompt, input: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<boolean> {
  for await (const line of linesOf(input)) {
    const taken = await prompt.line(line);
    if (taken === "failed" || prompt.uncaught) return false;
    if (taken === "exit") return true;
  }
  if (await prompt.end() !== "done") return false;
  // What nobody has caught is told before the answer to this.
  await prompt.evaluate("void 0", true);
  return !prompt.uncaught;
}

/** The lines of a program, without their ends. A first line for the system is none of them. */
async function* linesOf(input: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  let parts: string[] = [];
  let length = 0;
  let first = true;
  const finish = (last: string): string => {
    const line = parts.join("") + last;
    const isForSystem = first && line.startsWith("#!");
    parts = [];
    length = 0;
    first = false;
    return isForSystem ? "" : line.replace(/\r$/, "");
  };
  for await (const text of input.pipeThrough(new TextDecoderStream())) {
    const lines = text.split("\n");
    const rest = lines.pop()!;
    for (const line of lines) yield finish(line);
    parts.push(rest);
    length += rest.length;
    if (length > MAX_LINE_CHARS) {
      throw new Failure(
        `Cannot evaluate a line of more than ${MAX_LINE_CHARS} characters`,
        "Data goes through a file, or through execnet exec with --in bytes",
        EXIT.failed,
      );
    }
  }
  if (length > 0) yield finish("");
}

/** The longest line: far more than anybody writes, and far less than memory. */
const MAX_LINE_CHARS = 16 * 1024 * 1024;
