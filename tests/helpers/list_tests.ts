/** Finds the names of tests without running them. */

const ROOT = new URL("../../", import.meta.url);

/** The names of the tests of some files of this project, by file, in their order. */
export async function listTests(files: readonly string[]): Promise<Map<string, string[]>> {
  // All are imported by one program, in which registering a test is taking note of it: imports run in their order.
  const imports = files.flatMap((file) => [
    script(`globalThis.testNames = globalThis.allNames[${JSON.stringify(file)}] = [];`),
    new URL(file, ROOT).href,
  ]);
  const program = [
    script(`
      globalThis.allNames = {};
      const note = (...given) => {
        const named = given.find((one) => typeof one === "string" || one.name);
        globalThis.testNames.push(typeof named === "string" ? named : named.name);
      };
      Object.assign(Deno, {
        test: Object.assign(note, {
          ignore: note,
          only: note,
          beforeAll() {},
          beforeEach() {},
          afterEach() {},
          afterAll() {},
        }),
      });
    `),
    ...imports,
    script("console.log(JSON.stringify(globalThis.allNames)); Deno.exit(0);"),
  ].map((url) => `import ${JSON.stringify(url)};\n`).join("");
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-check", "--allow-all", "--ext=ts", "-"],
    cwd: ROOT,
    env: { EXECNET_TESTS_APART: "1" },
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const output = child.output();
  const stdin = child.stdin.getWriter();
  await stdin.write(new TextEncoder().encode(program));
  await stdin.close();
  const { stdout } = await output;
  return new Map(Object.entries(JSON.parse(new TextDecoder().decode(stdout)) as Record<string, string[]>));
}

function script(text: string): string {
  return `data:text/javascript,${encodeURIComponent(text)}`;
}
