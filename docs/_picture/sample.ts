/** A folder for the picture to work on: always the same, so that the picture changes only with what it shows. */

const HOSTS = ["web1", "web2", "mail", "db", "api", "cdn", "dns"];
// Such that the demo's line of words breaks between two of them.
const WORDS = ["request", "gateway", "channel", "call", "copy", "closed", "retried", "refused"];

/** Numbers that look random and come again (a linear congruential generator, by Knuth). */
function* numbers(seed: bigint): Generator<number, never> {
  for (let state = seed;;) {
    state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffff_ffff_ffff_ffffn;
    yield Number(state >> 33n);
  }
}

/** Writes the folder. */
export async function writeSample(folder: string): Promise<void> {
  const random = numbers(2026n);
  const below = (end: number): number => random.next().value % end;
  // The smaller of several is mostly small: so words differ in how frequent they are.
  const word = (): string => WORDS[Math.min(below(WORDS.length), below(WORDS.length + 2))]!;
  const write = async (name: string, lines: string[]): Promise<void> =>
    await Deno.writeTextFile(`${folder}/${name}`, lines.join("\n"));
  const many = (count: number, line: (at: number) => string): string[] =>
    Array.from({ length: count }, (_, at) => line(at));
  await Deno.mkdir(folder, { recursive: true });
  for (const host of HOSTS) {
    for (let day = 1; day <= 6; day++) {
      await write(
        `${host}-${day}.log`,
        many(400 + below(200), (at) => `${at} ${host} ${word()} ${word()} ${below(5000)} ms`),
      );
    }
    await write(`${host}.csv`, many(80 + below(90), (at) => `${at},${word()},${below(900)}`));
    await write(`${host}.json`, [
      "{",
      ...many(12, (at) => `  "${at}": "${word()}",`),
      `  "host": "${host}"`,
      "}",
    ]);
  }
  await write("notes.md", ["# Notes", "", ...many(30, () => `- ${word()} and ${word()}`)]);
}
