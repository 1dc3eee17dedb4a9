/** What each permission guards: how remote code tries it, and what of it is granted and what is beside that. */

import type { Channel, PermissionName } from "../../mod.ts";

/** One thing that remote code tries. */
export interface Attempt {
  readonly permission: PermissionName;
  /** A path, `host:port`, a name. */
  readonly subject: string;
}

/** Tries one thing after the other, and sends what came of each: `done`, or an error. It runs over there. */
export async function tryAll(
  channel: Channel<never, string[]>,
  { attempts }: { attempts: readonly Attempt[] },
): Promise<void> {
  const attempt = async ({ permission, subject }: Attempt): Promise<void> => {
    switch (permission) {
      case "read":
        await Deno.readTextFile(subject);
        break;
      case "write":
        await Deno.writeTextFile(subject, "written");
        break;
      case "net": {
        const [hostname, port] = subject.split(":") as [string, string];
        (await Deno.connect({ hostname, port: Number(port) })).close();
        break;
      }
      case "env":
        Deno.env.get(subject);
        break;
      case "run": {
        const { stdout } = await new Deno.Command(subject, { stdin: "null" }).output();
        const text = new TextDecoder().decode(stdout);
        if (text !== "ran\n") throw new Error(`it printed ${text}`);
        break;
      }
      case "ffi":
        Deno.dlopen(subject, {}).close();
        break;
      case "sys":
        (Deno as unknown as Record<string, () => unknown>)[subject]!();
        break;
      case "import":
        // What was not there once is not asked for again.
        await import(`http://${subject}/${crypto.randomUUID()}.js`);
        break;
    }
  };
  const outcomes: string[] = [];
  for (const one of attempts) {
    outcomes.push(await attempt(one).then(() => "done", ({ name, message }) => `${name}: ${message}`));
  }
  await channel.send(outcomes);
}

/** What is there to be tried. */
export interface Row {
  readonly permission: PermissionName;
  /** What a list may hold. */
  readonly item: string;
  /** What that item covers. */
  readonly covered: readonly string[];
  /** What it does not, however near. */
  readonly beside: readonly string[];
}

/** Everything that is tried, and what it takes. */
export class Targets {
  /** By permission. */
  readonly rows: readonly Row[];
  readonly #servers: readonly Deno.HttpServer<Deno.NetAddr>[];
  /** The ports that were asked for a module. */
  readonly #asked = new Set<number>();

  private constructor(folder: string, libraries: readonly [string, string]) {
    const servers = [0, 0].map((port) =>
      Deno.serve({ hostname: "127.0.0.1", port, onListen: () => {} }, ({ url }) => {
        this.#asked.add(Number(new URL(url).port));
        // What is not there is asked for, and leaves nothing in anybody's cache.
        return new Response(null, { status: 404 });
      })
    );
    this.#servers = servers;
    const [port, other] = servers.map(({ addr }) => addr.port) as [number, number];
    this.rows = [
      {
        permission: "read",
        item: `${folder}/in`,
        covered: [`${folder}/in/file`, `${folder}/other/../in/file`],
        beside: [`${folder}/in2`, `${folder}/in/../other/file`, "/etc/hostname"],
      },
      {
        permission: "write",
        item: `${folder}/out`,
        covered: [`${folder}/out/file`],
        beside: [`${folder}/out2`, `${folder}/out/../other/file`, `${folder}/in/file`],
      },
      {
        permission: "net",
        item: `127.0.0.1:${port}`,
        covered: [`127.0.0.1:${port}`],
        beside: [`127.0.0.1:${other}`, `127.0.0.2:${port}`],
      },
      {
        permission: "env",
        item: "EXECNET_TRIED",
        covered: ["EXECNET_TRIED"],
        beside: ["EXECNET_TRIED_TOO", "EXECNET_TRIE", "HOME"],
      },
      {
        permission: "run",
        item: `${folder}/bin/mine`,
        covered: [`${folder}/bin/mine`],
        beside: [`${folder}/bin/other`, `${folder}/bin/mine2`],
      },
      { permission: "ffi", item: libraries[0], covered: [libraries[0]], beside: [libraries[1]] },
      { permission: "sys", item: "hostname", covered: ["hostname"], beside: ["osRelease", "uid"] },
      {
        permission: "import",
        item: `127.0.0.1:${port}`,
        covered: [`127.0.0.1:${port}`],
        beside: [`127.0.0.1:${other}`],
      },
    ];
  }

  /** Makes all of it in a folder. */
  static make(folder: string): Targets {
    for (const name of ["in", "out", "other", "bin"]) Deno.mkdirSync(`${folder}/${name}`);
    for (const name of ["in/file", "in2", "other/file", "out2"]) {
      Deno.writeTextFileSync(`${folder}/${name}`, name);
    }
    for (const name of ["mine", "mine2", "other"]) {
      Deno.writeTextFileSync(`${folder}/bin/${name}`, "#!/bin/sh\necho ran\n", { mode: 0o755 });
    }
    // Libraries that this very process has loaded are there, and can be loaded.
    const loaded = Deno.readTextFileSync("/proc/self/maps").matchAll(/\s(\/\S+\.so(?:\.\d+)*)$/gm);
    const [one, two] = new Set([...loaded].map(([, path]) => path!));
    if (two === undefined) throw new Error("This process has loaded no two libraries");
    return new Targets(folder, [one!, two]);
  }

  /** Every attempt, in the order of the rows. */
  get attempts(): Attempt[] {
    return this.rows.flatMap(({ permission, covered, beside }) =>
      [...covered, ...beside].map((subject) => ({ permission, subject }))
    );
  }

  /** Whether a port was asked for a module since the last look. */
  wasAsked(subject: string): boolean {
    return this.#asked.delete(Number(subject.split(":")[1]));
  }

  /** Ends what listens. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of this.#servers) await server.shutdown();
  }
}

/** Whether what came of an attempt is that it was not allowed, and that this was said by name. */
export function isRefused({ permission }: Attempt, outcome: string): boolean {
  if (permission === "import" && /--no-remote/.test(outcome)) return true;
  return new RegExp(`Requires ${permission} access`).test(outcome) &&
    (outcome.startsWith("NotCapable: ") || permission === "import");
}

/** Whether it was allowed. Where there is nothing, to find that out is what was allowed. */
export function isAllowed({ permission }: Attempt, outcome: string): boolean {
  if (permission === "import") return /Module not found/.test(outcome);
  return outcome === "done" || permission === "net" && outcome.startsWith("ConnectionRefused: ");
}
