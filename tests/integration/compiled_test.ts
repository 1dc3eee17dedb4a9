/**
 * Programs made by `deno compile`: they have no Deno inside that could run anything else, so that gateways are started by
 * one that is found.
 *
 * `deno compile` takes a runtime, denort, that it downloads from Deno's own host, which many machines cannot reach. So the
 * program also runs as a script that looks like a compiled one: that shows which Deno is started, and what is said where
 * there is none. It does not show what Deno's compiled runtime does otherwise than `deno run`.
 */

import { assert, assertEquals } from "jsr:@std/assert@^1.0.19";
import { test } from "../helpers/bounded.ts";
import { exists, withFolder } from "../helpers/folder.ts";
import { findProgram, needs, part, shared, testWith } from "../parts/need.ts";
import { run } from "../parts/run.ts";
import { SSHD, Sshd } from "../parts/sshd.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const PROGRAMS = new URL("./programs/", import.meta.url).pathname;
const JOB = new URL("./modules/job.ts", import.meta.url).pathname;
const LIMIT_MS = 120_000;

/** What the program prints of a gateway that works. */
const WORKS = "42 text 40 4";

/** The runtime of compiled programs. Where a registry is all that can be reached there is none, in CI too. */
const DENORT = part("denort", () => {
  if (Deno.env.has("DENORT_BIN")) return undefined;
  const folder = Deno.env.get("DENO_DIR") ?? `${Deno.env.get("HOME")}/.cache/deno`;
  const path = `${folder}/dl/release/v${Deno.version.deno}/denort-${Deno.build.target}.zip`;
  return findProgram("deno") !== undefined && exists(path)
    ? undefined
    : `"deno compile" has not downloaded it to "${path}", and DENORT_BIN names none`;
});

const INSIDE =
  'Error: Cannot ship module "file:///compiled-into-the-program/job.ts": it is inside of this program\'s ' +
  'executable, where Deno cannot read it; "deno compile --self-extracting --include" makes files of it';

/** Runs the program as if it was compiled, where `home` is all that there is of Deno. */
async function runAsCompiled(folder: string, home: string, specs: readonly string[]): Promise<string[]> {
  const app = `${folder}/app`;
  await Deno.writeTextFile(app, "#!/bin/sh\necho 'The executable was run'\nexit 99\n", { mode: 0o755 });
  const bin = `${folder}/bin`;
  await Deno.mkdir(bin, { recursive: true });
  // All programs of this machine but Deno.
  for (const from of ["/usr/bin", "/bin"]) {
    for (const { name } of Deno.readDirSync(from)) {
      if (!/^deno/.test(name) && !exists(`${bin}/${name}`)) {
        Deno.symlinkSync(`${from}/${name}`, `${bin}/${name}`);
      }
    }
  }
  const { stdout } = await run([
    ...[Deno.execPath(), "run", "--quiet", "--no-check", "--no-lock", "-A"],
    ...["--preload", `${PROGRAMS}/standalone.ts`, `${PROGRAMS}/compiled.ts`, ...specs],
  ], {
    cwd: ROOT,
    env: { COMPILED_AS: app, DENO_DIR: await denoFolder(), HOME: home, PATH: bin, NO_COLOR: "1" },
    limit: LIMIT_MS,
  });
  return stdout.trim().split("\n");
}

/** Where Deno keeps what it has downloaded, whatever HOME says. */
async function denoFolder(): Promise<string> {
  const { stdout } = await run([Deno.execPath(), "info", "--json"]);
  return JSON.parse(stdout).denoDir;
}

test("a compiled program starts the Deno that is found, and brings that one elsewhere", async () => {
  await withFolder(async (folder) => {
    await Deno.mkdir(`${folder}/.deno/bin`, { recursive: true });
    await Deno.mkdir(`${folder}/elsewhere`);
    await Deno.symlink(Deno.execPath(), `${folder}/.deno/bin/deno`);
    const specs = [
      "popen",
      "popen//execmodel=process",
      "worker//allow-all",
      `command=env HOME=${folder}/elsewhere PATH=${folder}/bin//provision`,
    ];
    const lines = await runAsCompiled(folder, folder, specs);
    const kinds = ["popen", "popen", "worker", "command"];
    assertEquals(lines, ["standalone=true", ...kinds.map((kind) => `${kind}: ${WORKS}`), INSIDE]);
    const brought = `${folder}/elsewhere/.cache/execnet`;
    const sizes = [...Deno.readDirSync(brought)].map(({ name }) => Deno.statSync(`${brought}/${name}`).size);
    assertEquals(sizes, [Deno.statSync(Deno.execPath()).size]);
  });
}, LIMIT_MS);

test("a compiled program says what it lacks where there is no Deno", async () => {
  await withFolder(async (folder) => {
    const lines = await runAsCompiled(folder, folder, [
      "popen",
      "worker//allow-all",
      "command=env//provision",
    ]);
    const [first, popen, worker, command, ...rest] = lines;
    assertEquals([first, ...rest], ["standalone=true", INSIDE]);
    const refused =
      'ConnectError: Cannot start gateway "gw0" (popen//id=gw0): there is no Deno that can be run as ' +
      '"deno"; a program made by "deno compile" has none inside: install Deno, or name one by deno=;';
    assert(popen!.startsWith(refused), popen);
    assertEquals(
      worker,
      `Error: Cannot ship module "file://${JOB}": a program made by "deno compile" needs the command "deno" ` +
        "for it, on PATH or in ~/.deno/bin",
    );
    assert(command!.endsWith("there is no Deno on this machine that could be brought there"), command);
  });
}, LIMIT_MS);

const sshd = shared(needs(DENORT).met ? SSHD : DENORT, () => Sshd.start());
if (needs(DENORT).met) {
  testWith(
    SSHD,
    "a program that deno compile has made works with every gateway",
    () =>
      withFolder(async (folder) => {
        await run([
          ...[
            Deno.execPath(),
            "compile",
            "--quiet",
            "--no-check",
            "-A",
            "--self-extracting",
            "--include",
            JOB,
          ],
          ...["--output", `${folder}/app`, `${PROGRAMS}/compiled.ts`],
        ], { cwd: ROOT, limit: LIMIT_MS });
        const { config } = sshd();
        const specs = [
          "popen",
          "popen//execmodel=process",
          "worker//allow-all",
          `ssh=${sshd().host()}//ssh_config=${config}`,
        ];
        const { stdout } = await run([`${folder}/app`, ...specs], { cwd: folder, limit: LIMIT_MS });
        const kinds = ["popen", "popen", "worker", "ssh"];
        assertEquals(stdout.split("\n").slice(0, 5), [
          "standalone=true",
          ...kinds.map((kind) => `${kind}: ${WORKS}`),
        ]);
      }),
    { limit: LIMIT_MS },
  );
} else {
  console.error(`A test is ignored: ${needs(DENORT).reason}`);
  Deno.test.ignore("a program that deno compile has made works with every gateway", () => {});
}
