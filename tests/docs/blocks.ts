/** The fenced blocks of a Markdown page, and what the comments before them ask for. */

/** What a comment right before a block says. */
export type Marker =
  /** The block goes on with the program, or the shell, of the one before it. */
  | { readonly kind: "after" }
  /** The block is a file of that name, which blocks behind it use. */
  | { readonly kind: "file"; readonly name: string }
  /** The block is a service: it is up when it has printed this, and is ended behind the page. */
  | { readonly kind: "until"; readonly text: string }
  /** The block ends with this exit code, and not with 0. */
  | { readonly kind: "code"; readonly code: number }
  /** The block is not run, for a reason. */
  | { readonly kind: "skip"; readonly reason: string };

/** A fenced block. */
export interface Block {
  /** Its language, such as `ts`; empty where it has none. */
  readonly language: string;
  /** What is in it. */
  readonly text: string;
  /** The line of its first line. */
  readonly line: number;
  /** What the comment before it says. */
  readonly marker: Marker | undefined;
}

const MARKERS: readonly (readonly [RegExp, (value: string) => Marker])[] = [
  [/^run: after$/, () => ({ kind: "after" })],
  [/^file: (\S+)$/, (name) => ({ kind: "file", name })],
  [/^run: until "(.+)"$/, (text) => ({ kind: "until", text })],
  [/^run: exit code (\d+)$/, (code) => ({ kind: "code", code: Number(code) })],
  [/^not run: (.{10,})$/, (reason) => ({ kind: "skip", reason })],
];

/** All blocks of a page. Throws where a comment before a block is none that is known. */
export function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = [];
  const lines = markdown.split("\n");
  let comment: string | undefined;
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at]!;
    const fence = /^(\s*)(`{3,})([^`]*)$/.exec(line);
    if (fence === null) {
      if (line.trim() !== "") comment = /^\s*<!-- (.*) -->$/.exec(line)?.[1];
      continue;
    }
    const [, indent, ticks, info] = fence;
    const end = lines.findIndex((one, i) => i > at && one.trim() === ticks);
    if (end < 0) throw new Error(`Cannot read the block in line ${at + 1}: it has no end`);
    const text = lines.slice(at + 1, end).map((one) =>
      one.startsWith(indent!) ? one.slice(indent!.length) : one
    );
    blocks.push({
      language: info!.trim(),
      text: text.join("\n") + "\n",
      line: at + 2,
      marker: comment === undefined ? undefined : markerOf(comment, at),
    });
    comment = undefined;
    at = end;
  }
  return blocks;
}

function markerOf(comment: string, line: number): Marker | undefined {
  for (const [pattern, make] of MARKERS) {
    const found = pattern.exec(comment);
    if (found !== null) return make(found[1]!);
  }
  if (/^(run|file|not run)\b/.test(comment)) {
    throw new Error(`Cannot read the comment in line ${line}: "${comment}"`);
  }
  return undefined;
}
