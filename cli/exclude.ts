/** Which entries of a folder `--exclude` leaves out. */

import { globToRegExp } from "jsr:@std/path@^1.0.0/posix/glob-to-regexp";

/** Whether the entry at a path below the source is left out. */
export type Exclusion = (path: string, isFolder: boolean) => boolean;

/**
 * Reads patterns, which mean what they mean in a .gitignore, but for `!`:
 *
 * - `*` and `?` stand for anything but a slash, `[a-z]` for a letter, `{a,b}` for one of them, `**` for any folders.
 * - A pattern without a slash fits a name wherever it is; one with a slash fits a path from the source on.
 * - A slash at the end fits folders only. What is in a folder that is left out is left out with it.
 */
export function exclusion(patterns: readonly string[]): Exclusion {
  const rules = patterns.map((pattern) => {
    const folders = pattern.endsWith("/");
    const bare = folders ? pattern.slice(0, -1) : pattern;
    const anchored = bare.includes("/");
    const regexp = globToRegExp(bare.replace(/^\//, ""), { globstar: true, extended: false });
    return { folders, anchored, regexp };
  });
  return (path, isFolder) => {
    const name = path.slice(path.lastIndexOf("/") + 1);
    return rules.some(({ folders, anchored, regexp }) =>
      (!folders || isFolder) && regexp.test(anchored ? path : name)
    );
  };
}
