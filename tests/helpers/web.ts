/** The package as a web server has it: programs import it by URL, with nothing of it on their own disk. */

import { run } from "../parts/run.ts";
import type { Ran } from "../parts/run.ts";

const ROOT = new URL("../../", import.meta.url);

const TYPES: Readonly<Record<string, string>> = {
  ts: "application/typescript",
  js: "text/javascript",
  json: "application/json",
  md: "text/markdown",
};

/** How a program is run. */
export interface WebRunOptions {
  /** The flags of `deno run`; by default all permissions. */
  flags?: readonly string[];
  /** Whether the project's import map counts: it names packages of npm in place of those of jsr. */
  config?: boolean;
  /** Added to the environment. */
  env?: Readonly<Record<string, string>>;
  /** Whether a failure is given back instead of thrown; by default false. */
  mayFail?: boolean;
}

/**
 * Serves what would be published, as git tracks it, and one folder of the repository's besides. Programs are run in an
 * empty folder, with a DENO_DIR that knows no module of the web and has compiled none; but npm packages are taken from
 * where they were downloaded before.
 */
export class Web implements AsyncDisposable {
  /** The URL of the repository's root; ends in a slash. */
  readonly url: URL;
  /** Where programs run; a real path. */
  readonly folder: string;
  /** Paths that were asked for and that are not served. */
  readonly missed: string[] = [];
  readonly #server: Deno.HttpServer<Deno.NetAddr>;
  readonly #temporary: string;

  private constructor(isServed: (path: string) => boolean, temporary: string) {
    this.#temporary = temporary;
    this.folder = `${temporary}/empty`;
    this.#server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
      const path = new URL(request.url).pathname.slice(1);
      if (request.method !== "GET" || !isServed(path)) {
        this.missed.push(path);
        return new Response("There is no such file\n", { status: 404 });
      }
      const type = TYPES[path.slice(path.lastIndexOf(".") + 1)] ?? "text/plain";
      return new Response(await Deno.readFile(new URL(path, ROOT)), { headers: { "content-type": type } });
    });
    this.url = new URL(`http://127.0.0.1:${this.#server.addr.port}/`);
  }

  /** Serves; `besides` is a folder of the repository, relative to its root and with a slash at its end. */
  static async start(besides: string): Promise<Web> {
    const { exclude } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT))).publish;
    const kept = (path: string): boolean =>
      path.startsWith(besides) || !(exclude as string[]).some((one) => path.startsWith(one));
    const git = ["git", "-C", ROOT.pathname, "ls-files", "--cached", "--others", "--exclude-standard"];
    // What was exported has no git, and then there is nothing else in it.
    const tracked = await run(git).then(({ stdout }) => new Set(stdout.trim().split("\n")), () => undefined);
    const isServed = (path: string): boolean => kept(path) && (tracked?.has(path) ?? !path.startsWith("."));
    const temporary = await Deno.realPath(await Deno.makeTempDir({ prefix: "web-" }));
    try {
      await Deno.mkdir(`${temporary}/empty`);
      await Deno.mkdir(`${temporary}/deno`);
      const info = JSON.parse((await run([Deno.execPath(), "info", "--json"])).stdout);
      for (const name of ["npm", "dl"]) {
        await Deno.mkdir(`${info.denoDir}/${name}`, { recursive: true });
        await Deno.symlink(`${info.denoDir}/${name}`, `${temporary}/deno/${name}`);
      }
      const { imports, unstable } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
      await Deno.writeTextFile(`${temporary}/deno.json`, JSON.stringify({ imports, unstable }));
      return new Web(isServed, temporary);
    } catch (error) {
      await Deno.remove(temporary, { recursive: true });
      throw error;
    }
  }

  /** Runs a program: a URL, or a path in {@linkcode Web.folder}. */
  async run(program: string | URL, args: readonly string[] = [], options: WebRunOptions = {}): Promise<Ran> {
    const { flags = ["--allow-all"], config = false, env = {}, mayFail = false } = options;
    const imports = flags.includes("--allow-all") ? [] : [`--allow-import=${this.url.host}`];
    const configured = config ? ["--config", `${this.#temporary}/deno.json`] : ["--no-config"];
    return await run([
      ...[Deno.execPath(), "run", "--quiet", "--no-prompt", "--no-lock", ...configured, ...imports, ...flags],
      ...[String(program), ...args],
    ], { cwd: this.folder, env: { DENO_DIR: `${this.#temporary}/deno`, NO_COLOR: "1", ...env }, mayFail });
  }

  /** Ends it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
    await Deno.remove(this.#temporary, { recursive: true });
  }
}
