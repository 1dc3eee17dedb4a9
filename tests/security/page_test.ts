/** docs/security.md says what comes of each attempt. */

import { assertEquals } from "jsr:@std/assert@^1.0.19";
import { test } from "../helpers/bounded.ts";

const PAGE = new URL("../../docs/security.md", import.meta.url);
const HERE = new URL("./", import.meta.url);

/** The attempts of the files here, as `attempt: file`. */
function attemptsHere(): string[] {
  const files = [...Deno.readDirSync(HERE)].filter(({ name }) => name.endsWith(".ts"));
  return files.flatMap(({ name }) =>
    [...Deno.readTextFileSync(new URL(name, HERE)).matchAll(/^(?:fromInside|alone)\(\s*"([^"]+)"/gm)]
      .map(([, attempt]) => `${attempt}: ${name}`)
  );
}

/** Those of the page's table. */
function attemptsOfPage(): string[] {
  const section = Deno.readTextFileSync(PAGE).split("\n## ").find((one) =>
    one.startsWith("Tried from inside")
  )!;
  return [
    ...section.matchAll(/^\| (.+?) +\| .+ \| \[`(\w+\.ts)`\]\(\.\.\/tests\/security\/(\w+\.ts)\) +\|$/gm),
  ]
    .map(([, attempt, file, target]) => {
      assertEquals(file, target);
      return `${attempt}: ${file}`;
    });
}

test("docs/security.md has a row for each attempt that is tested, and no other", () => {
  assertEquals(attemptsOfPage().toSorted(), attemptsHere().toSorted());
});
