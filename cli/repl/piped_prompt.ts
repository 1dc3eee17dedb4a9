/** A prompt without a terminal: the lines of standard input are a program, up to its first error. */

import type { GatewayExit, GatewayOptions, Group } from "../../mod.ts";
import type { Terminal } from "../terminal.ts";
import { Prompt } from "./prompt.ts";

/** Evaluates input by input. Resolves with whether all went well, or with the connection's end. */
export async function promptOfPipe(
  group: Group,
  spec: string,
  options: GatewayOptions,
  { input, write, style, outputIsTerminal, tell, signal }: Terminal,
): Promise<boolean | GatewayExit> {
  const prompt = await Prompt.start(group, spec, options, {
    style,
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
  let rest = "";
  for await (const text of input.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    for (const line of lines) {
      const taken = await prompt.line(line.replace(/\r$/, ""));
      if (taken === "failed" || prompt.uncaught) return false;
      if (taken === "exit") return true;
    }
  }
  if (rest !== "") {
    const taken = await prompt.line(rest);
    if (taken === "exit" || taken === "failed") return taken === "exit";
  }
  if (await prompt.end() !== "done") return false;
  // What nobody has caught is told before the answer to this.
  await prompt.evaluate("void 0", true);
  return !prompt.uncaught;
}
