/** Tracing by EXECNET_DEBUG: what appears where, that remote code is allowed no more by it, and nothing without it. */

import { assert, assertEquals, assertMatch, assertStringIncludes } from "jsr:@std/assert@^1.0.19";
import { connect } from "../../gateway/connect.ts";
import { makeLauncher, Shared } from "../../gateway/launch.ts";
import { guardScript, PID_MARK } from "../../gateway/process/guard.ts";
import { stageZeroUrl } from "../../gateway/process/link.ts";
import { printTo } from "../../gateway/process/trace.ts";
import { filePrint } from "../../gateway/trace.ts";
import { XSpec } from "../../xspec/mod.ts";
import { test } from "../helpers/bounded.ts";
import { limited, until } from "../helpers/wait.ts";
import { forEachKind, forPopen } from "./kinds.ts";

const PROGRAMS = new URL("./programs/", import.meta.url);
const LIMIT_MS = 15_000;

/** What `programs/tracing.ts` prints. */
interface Found {
  pid: number;
  far: number;
  item: unknown;
  found: { pid: number; states: string[]; written: string; removed: string; seen: number };
}

interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
  /** The trace files that it has left, by process id. */
  files: Map<number, string>;
}

/** Runs a program with the variable, or without it, and with a temporary directory of its own. */
async function run(
  folder: string,
  debug: string | undefined,
  name: string,
  args: readonly string[],
  options: { permissions?: readonly string[]; shell?: string } = {},
): Promise<Outcome> {
  const { EXECNET_DEBUG: _, ...env } = Deno.env.toObject();
  const words = [
    Deno.execPath(),
    "run",
    "--quiet",
    "--no-check",
    "--no-prompt",
    ...options.permissions ?? ["-A"],
    new URL(name, PROGRAMS).pathname,
    ...args,
  ];
  const command = options.shell === undefined
    ? new Deno.Command(words[0]!, commandOptions(words.slice(1)))
    : new Deno.Command("sh", commandOptions(["-c", options.shell, "sh", ...words]));
  function commandOptions(args: string[]): Deno.CommandOptions {
    return {
      args,
      clearEnv: true,
      env: {
        ...env,
        NO_COLOR: "1",
        TMPDIR: folder,
        ...(debug === undefined ? {} : { EXECNET_DEBUG: debug }),
      },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    };
  }
  const { code, stdout, stderr } = await limited(name, command.output(), LIMIT_MS);
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)) as [string, string];
  return { code, stdout: out, stderr: err, files: traceFiles(folder) };
}

function traceFiles(folder: string): Map<number, string> {
  const files = new Map<number, string>();
  for (const { name, isFile } of Deno.readDirSync(folder)) {
    const match = /^execnet-debug-(\d+)$/.exec(name);
    if (match !== null && isFile) files.set(Number(match[1]), Deno.readTextFileSync(`${folder}/${name}`));
  }
  return files;
}

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "trace it's $HOME " });
  try {
    await body(folder);
  } finally {
    // A spare process that is just being killed may make its file meanwhile.
    await until(
      "the folder is removed",
      () => Deno.remove(folder, { recursive: true }).then(() => true, () => false),
    );
  }
}

/** Each line begins with the process's id, and the gateway's name. */
function checkLines(text: string | undefined, pid: number, wanted: readonly string[]): void {
  if (text === undefined) throw new Error(`No trace of process ${pid}`);
  const lines = text.split("\n").slice(0, -1);
  for (const line of lines) {
    assertMatch(
      line,
      /^\[\d+\] gw0 (starting|connected|ended|started|(sent|received) [A-Z_]+( channel=\d+)? bytes=\d+$)/,
    );
    assert(line.startsWith(`[${pid}] `), line);
  }
  let at = 0;
  for (const line of wanted) {
    const found = lines.indexOf(`[${pid}] gw0 ${line}`, at);
    assert(found >= 0, `no "${line}" behind line ${at} of:\n${text}`);
    at = found + 1;
  }
}

/** What each process has to tell, in this order. */
function checkTraces(
  texts: ReadonlyMap<number, string>,
  { pid, far, found }: Found,
  model: string,
  type = "popen",
): void {
  checkLines(texts.get(pid), pid, [
    `starting ${type} execmodel=${model}`,
    `connected pid=${far}`,
    "sent CHANNEL_EXEC channel=1 bytes=1",
    "received CHANNEL_DATA channel=1 bytes=8",
    "sent CHANNEL_DATA channel=1 bytes=15",
    "sent TERMINATE bytes=0",
    "ended code=0",
  ]);
  checkLines(texts.get(far), far, [
    `started agent execmodel=${model}`,
    "received CHANNEL_EXEC channel=1 bytes=1",
    "sent CHANNEL_DATA channel=1 bytes=8",
    "received CHANNEL_DATA channel=1 bytes=15",
    "received TERMINATE bytes=0",
  ]);
  if (model !== "process") return;
  assert(found.pid !== far);
  checkLines(texts.get(found.pid), found.pid, [
    "started execution",
    "received CHANNEL_EXEC channel=1 bytes=1",
    "sent CHANNEL_DATA channel=1 bytes=8",
    "received CHANNEL_DATA channel=1 bytes=15",
  ]);
}

forEachKind("EXECNET_DEBUG=1 makes a file for each process", async ({ kind }) => {
  await inFolder(async (folder) => {
    const { code, stdout, stderr, files } = await run(folder, "1", "tracing.ts", [kind.spec, folder]);
    assertEquals([code, stderr], [0, ""]);
    const result = JSON.parse(stdout) as Found;
    checkTraces(files, result, kind.model);
    // What items hold is never told.
    assert(![...files.values()].some((text) => /secret|an item/.test(text)));
    for (const { name } of Deno.readDirSync(folder)) {
      assertMatch(name, /^execnet-debug-\d+$/);
      assertEquals(Deno.statSync(`${folder}/${name}`).mode! & 0o777, 0o600);
    }
    assertEquals(result.found, {
      pid: result.found.pid,
      states: ["prompt", "prompt", "prompt"],
      written: "NotCapable",
      removed: "NotCapable",
      seen: 0,
    });
  });
}, { popen: true });

forEachKind("EXECNET_DEBUG=2 traces to stderr", async ({ kind }) => {
  await inFolder(async (folder) => {
    const { code, stdout, stderr, files } = await run(folder, "2", "tracing.ts", [kind.spec, folder]);
    assertEquals([code, files.size], [0, 0], stderr);
    const texts = new Map<number, string>();
    for (const line of stderr.split("\n").slice(0, -1)) {
      const pid = Number(/^\[(\d+)\] /.exec(line)?.[1]);
      texts.set(pid, `${texts.get(pid) ?? ""}${line}\n`);
    }
    checkTraces(texts, JSON.parse(stdout), kind.model, new XSpec(kind.spec).type);
    assert(!/secret|an item/.test(stderr));
  });
}, { alone: true, local: true });

forEachKind("without EXECNET_DEBUG nothing is traced", async ({ kind }) => {
  await inFolder(async (folder) => {
    for (const debug of [undefined, "", "0"]) {
      const { code, stderr } = await run(folder, debug, "tracing.ts", [kind.spec, folder]);
      assertEquals([code, stderr], [0, ""]);
      assertEquals([...Deno.readDirSync(folder)], []);
    }
  });
}, { alone: true, local: true });

forPopen("another value of EXECNET_DEBUG means files", async () => {
  await inFolder(async (folder) => {
    const { stdout, files } = await run(folder, "yes", "tracing.ts", ["popen", folder]);
    checkTraces(files, JSON.parse(stdout), "worker");
  });
});

forPopen("a trace is whole up to the moment in which the program is killed", async () => {
  await inFolder(async (folder) => {
    const { stdout, files } = await run(folder, "1", "tracing.ts", ["popen", folder, "crash"]);
    assertEquals(stdout, "");
    const texts = [...files];
    const [pid, text] = texts.find(([, text]) => text.includes("starting"))!;
    checkLines(text, pid, ["starting popen execmodel=worker", "received CHANNEL_DATA channel=1 bytes=8"]);
    assert(text.endsWith("received CHANNEL_DATA channel=1 bytes=8\n"), text);
  });
});

forPopen("what the spec allows stays allowed, the trace's folder included", async () => {
  await inFolder(async (folder) => {
    const { stdout } = await run(folder, "1", "tracing.ts", [`popen//allow-write=${folder}`, folder]);
    const { found } = JSON.parse(stdout) as Found;
    assertEquals([found.states[0], found.states[1], found.written], ["granted", "prompt", "allowed"]);
  });
  await inFolder(async (folder) => {
    const { stdout, files } = await run(folder, "1", "tracing.ts", ["popen//allow-all", folder]);
    const { found, far } = JSON.parse(stdout) as Found;
    assertEquals(found.states, ["granted", "granted", "granted"]);
    assertEquals(files.has(far), false, "remote code has removed it");
  });
});

forPopen("a spec that denies reading or the network still has its file", async () => {
  for (const key of ["deny-read", "deny-net", "allow-write=/nowhere//deny-read"]) {
    await inFolder(async (folder) => {
      const { stdout, files } = await run(folder, "1", "tracing.ts", [`popen//${key}`, folder]);
      const result = JSON.parse(stdout) as Found;
      checkTraces(files, result, "worker");
      assertEquals([result.found.states[0], result.found.written], ["prompt", "NotCapable"]);
    });
  }
});

forPopen("a spec that denies writing, and a folder with a comma, lead the trace to stderr", async () => {
  await inFolder(async (folder) => {
    for (const key of ["deny-write", `deny-write=/nowhere`]) {
      const { stdout, stderr, files } = await run(folder, "1", "tracing.ts", [`popen//${key}`, folder]);
      const { pid, far } = JSON.parse(stdout) as Found;
      checkLines(stderr, far, ["started agent execmodel=worker", "received TERMINATE bytes=0"]);
      assertEquals([files.has(pid), files.has(far)], [true, false]);
    }
    const comma = `${folder}/a,b`;
    await Deno.mkdir(comma);
    const { stdout, stderr } = await run(comma, "1", "tracing.ts", ["popen//allow-all", comma]);
    checkLines(stderr, (JSON.parse(stdout) as Found).far, ["started agent execmodel=worker"]);
  });
});

forPopen(
  "where another program starts Deno, the file bears that one's id, and is as well guarded",
  async () => {
    await inFolder(async (folder) => {
      const wrapper = `${folder}/wrapper`;
      await Deno.writeTextFile(wrapper, `#!/bin/sh\n'${Deno.execPath()}' "$@"\nexit $?\n`, { mode: 0o755 });
      const spec = `popen//deno='${wrapper.replaceAll("'", `'\\''`)}'`;
      const { stdout, stderr, files } = await run(folder, "1", "tracing.ts", [spec, folder]);
      const { far, pid, found } = JSON.parse(stdout) as Found;
      assertEquals([stderr, files.size, files.has(far)], ["", 2, false]);
      const [other] = [...files.keys()].filter((id) => id !== pid);
      checkLines(files.get(other!), far, ["started agent execmodel=worker", "received TERMINATE bytes=0"]);
      checkLines(files.get(pid), pid, [`connected pid=${other}`]);
      assertEquals(found.states, ["prompt", "prompt", "prompt"]);
      const probe = await run(folder, "1", "tracing_probe.ts", [spec, folder]);
      assertEquals(probe.stdout, "prompt\n", probe.stderr);
    });
  },
);

forPopen("links that lie where trace files are to be made are not followed", async () => {
  await inFolder(async (folder) => {
    const victim = `${folder}/victim`;
    await Deno.writeTextFile(victim, "untouched");
    const last = Number((await Deno.readTextFile("/proc/loadavg")).trim().split(" ").at(-1));
    for (let pid = last; pid < last + 2_000; pid++) {
      await Deno.symlink(victim, `${folder}/execnet-debug-${pid}`);
    }
    const { code, stdout, stderr, files } = await run(folder, "1", "tracing.ts", ["popen", folder]);
    assertEquals(code, 0, stderr);
    const { far, found } = JSON.parse(stdout) as Found;
    checkLines(files.get(far), far, ["started agent execmodel=worker"]);
    assertEquals([found.states[0], found.written], ["prompt", "NotCapable"]);
    assertEquals(await Deno.readTextFile(victim), "untouched");
  });
});

forPopen("a program that may not read the variable is not traced, and not asked", async () => {
  await inFolder(async (folder) => {
    const permissions = ["--allow-run", "--allow-read", "--allow-write", "--allow-net"];
    const { stdout, stderr, files } = await run(folder, "1", "restricted.ts", [], { permissions });
    assertEquals([stdout, stderr, files.size], ["got 42\n", "", 0]);
    const named = await run(folder, "1", "restricted.ts", [], {
      permissions: [...permissions, "--allow-env=EXECNET_DEBUG,TMPDIR"],
    });
    assertEquals([named.stdout, named.stderr, named.files.size], ["got 42\n", "", 2]);
  });
});

forPopen("a closed stderr breaks nothing", async () => {
  await inFolder(async (folder) => {
    const { code, stdout } = await run(folder, "2", "tracing.ts", ["popen", folder], {
      shell: `exec "$@" 2>&-`,
    });
    assertEquals([code, (JSON.parse(stdout) as Found).item], [0, "an item"]);
  });
});

forPopen("without tracing the transport is the link's own", async () => {
  const spec = new XSpec("popen");
  const launcher = makeLauncher({ spec, id: "gw0", trace: undefined, hop: undefined, shared: new Shared() });
  const connection = await connect({ spec, id: "gw0", launcher, options: { stderr: "null" } });
  try {
    assert(connection.transport === await connection.process.connected);
  } finally {
    connection.transport.abort();
    connection.process.kill();
    await connection.process.ended;
    await connection.output.ended;
  }
});

test("stageZeroUrl() and guardScript() say nothing of tracing unless there is some", () => {
  const zero = {
    kind: "socket",
    path: "/x/s",
    folder: "",
    revoke: [],
    nonce: "00",
    bypass: false,
    worker: false,
  } as const;
  const url = stageZeroUrl({ ...zero, revoke: [] });
  assert(!url.includes(PID_MARK) && !decodeURIComponent(url).includes("openSync"));
  const traced = stageZeroUrl({ ...zero, revoke: [], trace: { base: "/t/execnet-debug-", revoke: true } });
  assert(traced.includes(PID_MARK) && decodeURIComponent(traced).includes("openSync"));
});

test("guardScript() puts the process's id in for the mark, and quotes all else", async () => {
  const script = guardScript(["sh", "-c", 'echo "$$ $0"', `it's $$ "${PID_MARK}" ${PID_MARK}`], {
    link: "none",
  });
  const child = new Deno.Command("sh", {
    args: ["-c", script],
    stdin: "piped",
    stderr: "piped",
    detached: true,
  }).spawn();
  const { pid } = child;
  const { stderr } = await child.output();
  await child.stdin.close().catch(() => {});
  assertEquals(new TextDecoder().decode(stderr), `${pid} it's $$ "${pid}" ${pid}\n`);
});

test("printTo() writes all lines at once, whatever a write takes, and swallows failures", () => {
  const texts: string[] = [];
  const writer = {
    writeSync(bytes: Uint8Array): number {
      const part = bytes.subarray(0, 40);
      texts.push(new TextDecoder().decode(part));
      return part.length;
    },
  };
  const print = printTo(writer);
  writer.writeSync = () => {
    throw new Error("replaced later");
  };
  print(["gw0 one", "gw0 two"]);
  print(["gw0 " + "x".repeat(50)]);
  const p = `[${Deno.pid}]`;
  assertEquals(texts.join(""), `${p} gw0 one\n${p} gw0 two\n${p} gw0 ${"x".repeat(50)}\n`);
  printTo(writer)(["gw0 lost"]);
  using full = Deno.openSync("/dev/full", { write: true });
  printTo(full)(["gw0 lost"]);
  const closed = Deno.openSync("/dev/null", { write: true });
  const late = printTo(closed);
  closed.close();
  late(["gw0 lost"]);
});

test("filePrint() shares a file, and takes none that somebody else has laid there", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/trace`;
    filePrint(path)(["gw0 one"]);
    const second = filePrint(path);
    second(["gw1 two"]);
    const text = `[${Deno.pid}] gw0 one\n[${Deno.pid}] gw1 two\n`;
    assertEquals(await Deno.readTextFile(path), text);
    // Lost, and not made anew.
    await Deno.remove(path);
    second(["gw1 three"]);
    assertEquals([...Deno.readDirSync(folder)], []);
  });
});

forPopen("filePrint() goes to stderr where links, open files or folders lie", async () => {
  await inFolder(async (folder) => {
    const victim = `${folder}/victim`;
    await Deno.writeTextFile(victim, "untouched", { mode: 0o600 });
    await Deno.symlink(victim, `${folder}/symbolic`);
    await Deno.link(victim, `${folder}/hard`);
    await Deno.writeTextFile(`${folder}/open`, "");
    await Deno.chmod(`${folder}/open`, 0o666);
    await Deno.mkdir(`${folder}/folder`);
    const names = ["symbolic", "hard", "open", "folder", "missing/file"];
    const code = `
      import { filePrint } from "${new URL("../../gateway/trace.ts", import.meta.url)}";
      for (const name of ${JSON.stringify(names)}) filePrint(Deno.args[0] + "/" + name)(["gw0 " + name]);
    `;
    await Deno.writeTextFile(`${folder}/code.ts`, code);
    const { stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", "--no-check", "--no-config", `${folder}/code.ts`, folder],
    }).output();
    const text = new TextDecoder().decode(stderr);
    for (const name of names) assertStringIncludes(text, `] gw0 ${name}\n`);
    assertEquals(await Deno.readTextFile(victim), "untouched");
    assertEquals(await Deno.readTextFile(`${folder}/open`), "");
  });
});
