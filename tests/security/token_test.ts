/** The token of a server: compared in constant time, out of reach of remote code, and nowhere to be read. */

import { assert, assertEquals, assertMatch } from "jsr:@std/assert@^1.0.19";
import { Group } from "../../mod.ts";
import { PROOF_BYTES, sameProof } from "../../gateway/socket/proof.ts";
import { test } from "../helpers/bounded.ts";
import { commandLine, descendants } from "../helpers/leaks.ts";
import { end, startFile } from "../integration/program.ts";
import { runServer, withServer } from "../integration/server_process.ts";
import type { RunningServer } from "../integration/server_process.ts";
import { alone } from "./inside.ts";

/** A proof that counts who reads its bytes. */
function counted(bytes: readonly number[]): { proof: Uint8Array; read: () => number } {
  let count = 0;
  const proof = new Proxy(bytes, {
    get(target, key): unknown {
      if (/^\d+$/.test(String(key))) count++;
      return Reflect.get(target, key);
    },
  });
  return { proof: proof as unknown as Uint8Array, read: () => count };
}

test("sameProof() reads all of both proofs, wherever they differ", () => {
  const right = Array.from({ length: PROOF_BYTES }, (_, i) => 7 * i % 256);
  for (let place = -1; place < PROOF_BYTES; place++) {
    const a = counted(right);
    const b = counted(right.map((byte, i) => i === place ? byte ^ 1 : byte));
    assertEquals(sameProof(a.proof, b.proof), place === -1);
    assertEquals([a.read(), b.read()], [PROOF_BYTES, PROOF_BYTES], `byte ${place}`);
  }
});

alone("reading the token of the server", async () => {
  await withServer([], async (server) => {
    const { folder, process: { pid } } = server;
    await Deno.mkdir(`${folder}/data`);
    await Deno.writeTextFile(`${folder}/data/file`, "yes");
    await withServer(
      ["--allow", `read=${folder}/data`, "--token-file", `${folder}/token`],
      async (limited) => {
        const spec = `socket=127.0.0.1:${limited.port}//token_file=${folder}/token`;
        await using group = new Group();
        const gateway = await group.makeGateway(`${spec}//allow-read=${folder}/data`, { stderr: "null" });
        const read = async (path: string): Promise<string> =>
          await Deno.readTextFile(path).catch((error) => error.name);
        assertEquals(await gateway.call(read, `${folder}/data/file`), "yes");
        const paths = ["token", "data/../token"].map((name) => `${folder}/${name}`);
        for (const path of [...paths, `/proc/${pid}/environ`, `/proc/${pid}/fd/3`]) {
          assertEquals(await gateway.call(read, path), "NotCapable", path);
        }
        const more = await group.makeGateway(`${spec}//allow-read=${folder}`, { stderr: "null" })
          .catch((error) => error);
        assertEquals([more.kind, /allow-read/.test(more.message)], ["refused", true]);
      },
      { tokenFile: false },
    );
  });
});

/** All that others could read while something ran. */
class Watch {
  readonly #lines = new Set<string>();
  readonly #timer = setInterval(() => this.look(), 5);

  look(): void {
    for (const { pid } of descendants(Deno.pid)) {
      this.#lines.add(commandLine(pid));
      try {
        this.#lines.add(Deno.readTextFileSync(`/proc/${pid}/environ`));
      } catch {
        // It has ended.
      }
    }
  }

  end(): string[] {
    clearInterval(this.#timer);
    return [...this.#lines];
  }
}

/** Runs a session, and gives all that could be read of it, with the tokens that it has made. */
async function session(
  server: RunningServer,
  traces: string,
): Promise<{ texts: string[]; tokens: string[] }> {
  const watch = new Watch();
  const runs = ["1", "2"].map((mode) =>
    startFile(
      new URL("./programs/session.ts", import.meta.url).pathname,
      [server.spec(), `${server.folder}/wrong`],
      ["-A"],
      { EXECNET_DEBUG: mode, TMPDIR: traces },
    )
  );
  const texts: string[] = [];
  const tokens: string[] = [];
  for (const run of runs) {
    assertEquals((await end(run, 60_000)).code, 0, run.stderr.text);
    const [shown, made] = run.stdout.text.split("\n--- tokens ---\n") as [string, string];
    texts.push(shown, run.stderr.text);
    tokens.push(...JSON.parse(made) as string[]);
  }
  const files = [...Deno.readDirSync(traces)].filter(({ isFile }) => isFile);
  assert(files.length >= 2, `${files.length} trace files`);
  for (const { name } of files) texts.push(await Deno.readTextFile(`${traces}/${name}`));
  return { texts: [...texts, ...watch.end()], tokens };
}

alone("finding a token in messages, traces and the list of processes", async () => {
  const wrong = "a-token-that-is-not-the-right-one";
  const setup = { env: { EXECNET_DEBUG: "2" } };
  await withServer(["--allow", "all"], async (server) => {
    await Deno.writeTextFile(`${server.folder}/wrong`, wrong, { mode: 0o600 });
    await Deno.writeTextFile(`${server.folder}/wrong.twice`, `${wrong} ${wrong}\n`, { mode: 0o600 });
    const traces = `${server.folder}/traces`;
    await Deno.mkdir(traces);
    const { texts, tokens } = await session(server, traces);
    const token = (await Deno.readTextFile(`${server.folder}/token`)).trim();
    texts.push(server.log.text, server.out.text);
    const refused = await runServer(["--listen", "0", "--token-file", `${server.folder}/wrong.twice`]);
    assertMatch(refused.err, /must be one word/);
    texts.push(refused.out, refused.err);
    // It has been a whole session: errors were told, traces written, and another server was installed.
    const all = texts.join("\n");
    assertMatch(all, /another token/);
    assertMatch(all, /must be one word/);
    assertMatch(all, /sent CHANNEL_EXEC/);
    assertMatch(all, /installed: 3/);
    assert(tokens.length >= 2, "tokens of servers that were installed");
    const secrets = [token, wrong, ...tokens];
    const forms = secrets.flatMap((secret) => {
      const bytes = new TextEncoder().encode(secret);
      return [
        secret,
        bytes.toHex(),
        bytes.toBase64(),
        bytes.toBase64({ alphabet: "base64url", omitPadding: true }),
      ];
    });
    assertEquals(texts.filter((text) => forms.some((form) => text.includes(form))), []);
  }, setup);
});
