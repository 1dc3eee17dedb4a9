/** What of a source is copied, as its owner says it. */

/** Says whether an entry is copied. */
export type Filter = (path: string, entry: Deno.DirEntry) => boolean;

/**
 * Whether an entry passes.
 *
 * @throws {TypeError} when the filter gives a promise: that would always pass
 */
export function passes(filter: Filter, path: string, entry: Deno.DirEntry): boolean {
  const answer: unknown = filter(path, entry);
  if (answer instanceof Promise) {
    answer.catch(() => {});
    throw new TypeError("Cannot copy: the filter must say at once what is copied, and gave a promise");
  }
  return Boolean(answer);
}
