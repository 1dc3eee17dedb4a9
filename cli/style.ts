/** Colours of a terminal, or none. */

/** Puts text into a style. */
export interface Style {
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  cyan(text: string): string;
}

/**
 * What the environment says of colours: NO_COLOR, if it is not empty, and TERM=dumb forbid them, FORCE_COLOR wants them
 * also where there is no terminal, unless it is 0. Undefined where it says nothing: then a terminal gets them.
 */
export function wantsColours(env: (name: string) => string | undefined): boolean | undefined {
  if (env("NO_COLOR")) return false;
  const force = env("FORCE_COLOR");
  if (force) return force !== "0";
  return env("TERM") === "dumb" ? false : undefined;
}

/** Styles by the codes that every terminal knows (ECMA-48, SGR), or by none. */
export function styleFor(colours: boolean): Style {
  const by = (on: number, off: number): (text: string) => string =>
    colours ? (text) => `\x1b[${on}m${text}\x1b[${off}m` : (text) => text;
  return {
    bold: by(1, 22),
    dim: by(2, 22),
    red: by(31, 39),
    green: by(32, 39),
    yellow: by(33, 39),
    cyan: by(36, 39),
  };
}
