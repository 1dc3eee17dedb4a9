/** Lets remote code print what steers a terminal, in one mode of stderr after the other. */

import { Group } from "../../../mod.ts";

const PRINT = `
  const lines = ["one\\x1b[2J\\x1b]0;title\\x07", "two\\r[other] all is well\\x1b[1A",
    "\\x1b[31mred\\x1b[0m\\tand the end of the line\\r", "\\u202eabc\\u2066",
    "\\x9b2Jone\\u2028[other] two\\u2029[other] three\\x85four\\x0bfive\\x7f"];
  await Deno.stderr.write(new TextEncoder().encode(lines.join("\\n") + "\\n"));
`;

const next = (): void => void Deno.stderr.writeSync(new TextEncoder().encode("--- next ---\n"));

await using group = new Group();
for (const stderr of ["prefix", "inherit"] as const) {
  const gateway = await group.makeGateway("popen//execmodel=main//id=odd", { stderr });
  await gateway.remoteExec(PRINT).waitClose();
  const { stderrTail } = await gateway.terminate();
  next();
  if (stderr === "inherit") console.error(stderrTail);
}
