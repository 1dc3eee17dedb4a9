/** Averages: an import of statistics.ts, which travels with it. */

/** The arithmetic mean. */
export function mean(series: Float64Array): number {
  return series.reduce((sum, value) => sum + value, 0) / series.length;
}

/** The middle, or the mean of the two in the middle. */
export function median(series: Float64Array): number {
  const sorted = series.toSorted();
  const middle = series.length / 2;
  return (sorted[Math.floor(middle - 0.5)]! + sorted[Math.ceil(middle - 0.5)]!) / 2;
}
