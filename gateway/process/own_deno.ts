/** Which Deno a program of this machine starts others with. */

/**
 * The Deno that runs this program. What `deno compile` makes is an executable that runs nothing else: there it is the
 * one that a shell finds.
 */
export function ownDeno(): string {
  return Deno.build.standalone ? "deno" : Deno.execPath();
}

/** What is to be said where a compiled program finds none; nothing elsewhere. */
export function missingDenoAdvice(): string {
  return Deno.build.standalone
    ? `; a program made by "deno compile" has none inside: install Deno, or name one by deno=`
    : "";
}
