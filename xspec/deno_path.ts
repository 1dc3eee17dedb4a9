/** Where a shell finds Deno, on every machine. */

/**
 * The line of a POSIX shell that has it look in `~/.deno/bin` behind PATH. Without a PATH, no empty entry comes to be:
 * that would be the current folder.
 */
export const DENO_ON_PATH = 'PATH="${PATH:+$PATH:}$HOME/.deno/bin"';

/** The text for `sh -c` that becomes the command in its arguments, which is looked for there. */
export const FIND_AND_RUN: string = `${DENO_ON_PATH}; exec "$@"`;
