/** What the tabulator offers. */

/** What a line asks for: names below a path, which begin with something. */
export interface Wanted {
  readonly path: readonly string[];
  /** The text that is replaced: path and beginning. */
  readonly text: string;
  readonly beginning: string;
}

const ID = /^[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*$/u;
const ASKED = /((?:[\p{ID_Start}$_][\p{ID_Continue}$]*\??\.)*)([\p{ID_Continue}$]*)$/u;

/** Names that are offered at most: more helps nobody. */
const MAX_OFFERED = 300;

const KEYWORDS =
  "async await break case catch class const continue debugger default delete do else enum export extends finally for function if import in instanceof interface let new return static super switch this throw try type typeof using var void while yield true false null"
    .split(" ");

/** What the end of a line asks for; undefined when that is nothing that could be told without running it. */
export function wantedBy(line: string): Wanted | undefined {
  const [text, dotted, beginning] = line.match(ASKED) as unknown as [string, string, string];
  const before = line.slice(0, line.length - text.length);
  if (text === "" || /[.\])"'`\p{ID_Continue}]$/u.test(before) || /^\d/.test(text)) return undefined;
  return { path: dotted.split(/\??\./).slice(0, -1), text, beginning };
}

/** The texts that may take the place of what was asked for. */
export function offers({ path, text, beginning }: Wanted, names: readonly string[]): string[] {
  const all = path.length === 0 ? [...names, ...KEYWORDS] : names;
  const fitting = [...new Set(all)].filter((name) => name.startsWith(beginning) && ID.test(name));
  // Those that are for the engine are offered to whoever begins like that.
  const shown = beginning === "" ? fitting.filter((name) => !name.startsWith("__")) : fitting;
  const prefix = text.slice(0, text.length - beginning.length);
  return shown.sort().slice(0, MAX_OFFERED).map((name) => prefix + name);
}
