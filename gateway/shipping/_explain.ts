/** Why a module could not be shipped, in the words of Deno and without its noise. */

/** At most so many lines of what Deno said; the first one counts, and a wrong module can have hundreds of errors. */
const MAX_LINES = 10;

/** Lines that say nothing about the module. */
const NOISE = /^(?:error: bundling failed|Stack backtrace:|\s+\d+: |⚠️|Download |Initialize |Warning )/;

// deno-lint-ignore no-control-regex -- this is how Deno colours its messages
const COLOURS = /\u001b\[[0-9;]*m/g;

/**
 * Makes the error for a module.
 *
 * @param stderr what Deno wrote
 * @param errors what `deno info` knows of single modules, by specifier: of packages it knows more than `deno bundle`
 */
export function explain(url: string, stderr: string, errors?: ReadonlyMap<string, string>): Error {
  const lines = stderr.replace(COLOURS, "").split("\n").filter((line) =>
    !NOISE.test(line) && line.trim() !== ""
  );
  const esbuild = lines.find((line) => /^error: (?!Could not find constraint).*@esbuild\//.test(line));
  if (esbuild !== undefined) {
    const causes = lines.findIndex((line) => line.startsWith("Caused by"));
    const cause = (causes < 0 ? esbuild.slice("error: ".length) : lines[causes + 1] ?? esbuild).trim();
    return failure(
      url,
      `"deno bundle" needs esbuild from npm once, and it cannot be fetched: ${cause}`,
      stderr,
    );
  }
  const known = new Set(Array.from(errors?.values() ?? [], (error) => error.split("\n")[0]));
  let fromEsbuild = false;
  const told = lines.map((shown) => {
    const place = shown.match(/^( {4}at .*:\d+:)(\d+)$/);
    if (place !== null) return fromEsbuild ? `${place[1]}${Number(place[2]) + 1}` : shown;
    if (!shown.startsWith("error: ")) return shown;
    const line = shown.slice("error: ".length);
    // Of what Deno itself finds, `deno info` has the words too. The columns of esbuild begin with 0.
    fromEsbuild = errors !== undefined && !known.has(line);
    const specifier = line.match(/^Could not find constraint '(.*)' in the list of packages/)?.[1];
    if (specifier !== undefined) {
      return errors?.get(`npm:${specifier}`) ??
        `Cannot resolve "npm:${specifier}": it, or a package that it needs, is not in the registry`;
    }
    const path = line.match(/^Do not know how to load path: deno:(.*)$/)?.[1];
    return path === undefined ? line : errors?.get(path) ?? `Cannot load "${path}"`;
  });
  const reason = told.slice(0, MAX_LINES).join("\n").replace(/\.(?=\n|$)/, "");
  return failure(url, reason === "" ? `"deno bundle" failed and said nothing` : reason, stderr);
}

/** The error for a module, with all that Deno said as its cause. */
export function failure(url: string, reason: string, cause?: unknown): Error {
  return new Error(`Cannot ship module "${url}": ${reason}`, cause === undefined ? {} : { cause });
}
