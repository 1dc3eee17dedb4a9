/** What the codec is measured with, and how many bytes the smallest form of each takes. */

/** A value to encode and decode. */
export interface Shape {
  /** Its name in the table. */
  readonly name: string;
  /** The value. */
  readonly value: unknown;
  /** The length of its encoding. */
  readonly bytes: number;
}

const nested = (id: number): unknown => ({
  id,
  name: "user " + id,
  active: id % 2 === 0,
  score: id * 1.25,
  tags: ["a", "b", "tag " + id],
  address: { street: "Long Street " + id, city: "Springfield", geo: { lat: id / 7, lon: -id / 3 } },
});

/** Integers of each width that the format has, of both signs, none like the one before. */
const ofAnyWidth = (i: number): number =>
  (i % 2 === 0 ? 1 : -1) * (i * 7919 % 2 ** [5, 7, 8, 15, 16, 30][i % 6]!);

const thousand = (make: (i: number) => number): number[] => Array.from({ length: 1000 }, (_, i) => make(i));

/** The row of `dicts-in` is the small object. */
export const SHAPES: readonly Shape[] = [
  { name: "small int", value: 42, bytes: 1 },
  { name: "small object", value: { id: 7, name: "abc", vals: [1, 2, 3] }, bytes: 23 },
  { name: "200 nested objects", value: Array.from({ length: 200 }, (_, id) => nested(id)), bytes: 26_039 },
  { name: "1 MiB bytes", value: new Uint8Array(1 << 20).map((_, i) => i * 31), bytes: (1 << 20) + 5 },
  {
    name: "long ASCII string",
    value: "The quick brown fox jumps over the lazy dog. ".repeat(2000),
    bytes: 90_005,
  },
  { name: "long non-ASCII string", value: "Größe naïve 日本語 テキスト 😀 — ".repeat(2000), bytes: 94_005 },
  {
    name: "medium string",
    value: "a sentence of some eighty characters, as it is found in logs and in messages, ok",
    bytes: 82,
  },
  { name: "short non-ASCII string", value: "Füße und Käse", bytes: 17 },
  { name: "100 short strings", value: Array.from({ length: 100 }, (_, i) => "name " + i), bytes: 793 },
  { name: "1,000 small ints", value: thousand((i) => i % 128), bytes: 1003 },
  { name: "1,000 ints of 2 and 4 bytes", value: thousand((i) => i * 7919 % 100_000), bytes: 3685 },
  { name: "1,000 ints of any width", value: thousand(ofAnyWidth), bytes: 2544 },
  { name: "1,000 floats", value: thousand((i) => Math.sin(i + 1)), bytes: 9003 },
  { name: "1,000 floats of 4 bytes", value: thousand((i) => i + 0.5), bytes: 5003 },
];
