/** Makes `docs/picture.svg` anew: runs what it shows. */

import { record } from "./record.ts";
import { draw } from "./svg.ts";

/** What stands in the picture's bar. */
export const TITLE = "execnet for Deno";

if (import.meta.main) {
  const svg = draw(await record(), TITLE);
  await Deno.writeTextFile(new URL("../picture.svg", import.meta.url), svg);
  console.log(`docs/picture.svg: ${svg.length} characters`);
}
