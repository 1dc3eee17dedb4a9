/**
 * Makes a program look as if `deno compile` had made it: `deno run --preload` runs this before it. Its executable is one
 * that runs nothing, and files of `INSIDE` are known to nobody else.
 */

const EXECUTABLE = Deno.env.get("COMPILED_AS");
const INSIDE = "file:///compiled-into-the-program/";

Object.defineProperty(Deno, "build", { value: { ...Deno.build, standalone: true } });
Object.defineProperty(Deno, "execPath", { value: () => EXECUTABLE });

const { realPath } = Deno;
Object.defineProperty(Deno, "realPath", {
  value: (path: string | URL): Promise<string> =>
    String(path) === INSIDE ? Promise.resolve(new URL(INSIDE).pathname) : realPath(path),
});
