/** What files say, in a form that is quick to compare. Times of modification are not looked at. */

/** A digest for each file, by its URL. */
export type Fingerprint = ReadonlyMap<string, string>;

/** What stands for the content of a file that is not there. Coming into being is a change too. */
const ABSENT = "absent";

/** Files open at one time; a package in node_modules may have hundreds. */
const CONCURRENCY = 32;

/** Reads the files anew. Rejects when one is there and cannot be read. */
export async function fingerprint(files: Iterable<string>): Promise<Fingerprint> {
  const urls = [...new Set(files)];
  const digests = new Array<string>(urls.length);
  let next = 0;
  const work = async (): Promise<void> => {
    for (let i = next++; i < urls.length; i = next++) digests[i] = await digestOf(urls[i]!);
  };
  await Promise.all(Array.from({ length: Math.min(CONCURRENCY, urls.length) }, work));
  return new Map(urls.map((url, i) => [url, digests[i]!]));
}

async function digestOf(url: string): Promise<string> {
  const bytes = await readIfThere(new URL(url));
  if (bytes === undefined) return ABSENT;
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toBase64();
}

/** Whether all that is in `before` is the same in `after`. */
export function isUnchanged(before: Fingerprint, after: Fingerprint): boolean {
  return [...before].every(([url, digest]) => after.get(url) === digest);
}

/** The bytes of a file; undefined when there is no file of that name. */
export async function readIfThere(url: URL): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    return await Deno.readFile(url);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    if (error instanceof Deno.errors.NotADirectory || error instanceof Deno.errors.IsADirectory) {
      return undefined;
    }
    throw error;
  }
}
