/** What is sent to be executed. */

/** Removes the indentation that all lines share; lines of white space only do not count. */
export function dedent(source: string): string {
  const lines = source.split("\n");
  let margin: string | undefined;
  for (const line of lines) {
    if (line.trim() === "") continue;
    const indent = line.match(/^[ \t]*/)![0];
    if (margin === undefined) margin = indent;
    while (!indent.startsWith(margin)) margin = margin.slice(0, -1);
    if (margin === "") return source;
  }
  if (margin === undefined) return source;
  return lines.map((line) => line.startsWith(margin) ? line.slice(margin.length) : line.trimStart()).join(
    "\n",
  );
}
