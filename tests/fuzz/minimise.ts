/** Makes an input that shows something shorter and plainer, as long as it shows the same. */

/** Tries, at most: a long input that takes long is left longer than it need be. */
const MAX_TRIES = 4000;

/** The shortest input that was found to be one that still `shows` it; the given one if that does not come again. */
export async function minimised(
  input: Uint8Array,
  shows: (input: Uint8Array) => Promise<boolean>,
): Promise<Uint8Array> {
  let best = input;
  let tries = 0;
  const accept = async (candidate: Uint8Array): Promise<boolean> => {
    if (tries++ >= MAX_TRIES || !await shows(candidate)) return false;
    best = candidate;
    return true;
  };
  if (!await shows(input)) return input;
  // Pieces of half the length, then of a quarter, and so on, from the end: what is behind the culprit goes first.
  for (let size = best.length >> 1; size >= 1 && tries < MAX_TRIES; size >>= 1) {
    for (let at = best.length - size; at >= 0 && tries < MAX_TRIES; at -= size) {
      const shorter = new Uint8Array(best.length - size);
      shorter.set(best.subarray(0, at));
      shorter.set(best.subarray(at + size), at);
      if (await accept(shorter)) at = Math.min(at, best.length);
    }
  }
  for (let at = 0; at < best.length && tries < MAX_TRIES; at++) {
    if (best[at] === 0) continue;
    const plainer = best.slice();
    plainer[at] = 0;
    await accept(plainer);
  }
  return best;
}
