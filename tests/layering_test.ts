import { assert, assertEquals } from "jsr:@std/assert@^1.0.19";
import { test } from "./helpers/bounded.ts";

const ROOT = new URL("../", import.meta.url);

interface Dependency {
  specifier: string;
  code?: { specifier?: string };
  type?: { specifier?: string };
}

interface Info {
  modules: { specifier: string; dependencies?: Dependency[]; error?: string }[];
}

/** Imports by file, as paths below the project; imports of types count like all others. */
async function importsOf(root: string, kind: "all" | "code" = "all"): Promise<Map<string, Set<string>>> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", root],
    cwd: ROOT,
    stderr: "inherit",
  });
  const { success, stdout } = await command.output();
  assert(success, `deno info ${root} failed`);
  const info: Info = JSON.parse(new TextDecoder().decode(stdout));
  const imports = new Map<string, Set<string>>();
  for (const module of info.modules) {
    assertEquals(module.error, undefined, module.specifier);
    const targets = new Set<string>();
    for (const dependency of module.dependencies ?? []) {
      if (kind === "code" && dependency.code === undefined) continue;
      const target = dependency.code?.specifier ?? dependency.type?.specifier ?? dependency.specifier;
      targets.add(pathOf(target));
    }
    imports.set(pathOf(module.specifier), targets);
  }
  return imports;
}

function pathOf(specifier: string): string {
  return specifier.startsWith(ROOT.href) ? specifier.slice(ROOT.href.length) : specifier;
}

const AGENT_TEXT = "gateway/_agent_bundle.ts";
/** So is the server in one file. */
const SERVER_TEXT = "agent.js";
/** And the target's side of a copy. */
const RECEIVER_TEXT = "rsync/_receiver_bundle.ts";

/** What may be shown of others' text, for whoever shows some. */
const TERMINAL_TEXT = "gateway/terminal_text.ts";

/** The layer of a file: the folder, or the file itself at the top. Folders of `gateway` are their own. */
function layerOf(path: string): string {
  // The generated text is nobody's room: whoever starts a process sends it.
  if (path === AGENT_TEXT || path === RECEIVER_TEXT || path === TERMINAL_TEXT) return path;
  const layers = [
    "cli/repl",
    "cli",
    "channel",
    "xspec",
    "rsync/common",
    "rsync/far",
    "rsync",
    "gateway/process",
    "gateway/agent",
    "gateway/inside",
    "gateway/shipping",
    "gateway/socket",
    "gateway/server",
    "gateway/slurm",
    "gateway/telemetry",
    "gateway/probe",
    "gateway",
  ];
  return layers.find((layer) => path.startsWith(`${layer}/`)) ?? path;
}

/** What each layer may import besides itself. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  "cli.ts": ["cli"],
  "cli": ["mod.ts", "gateway/server", "gateway/probe", "deno.json", "cli/repl", TERMINAL_TEXT],
  "cli/repl": ["mod.ts", "cli"],
  "xspec": [],
  "channel": [],
  "rsync/common": ["channel"],
  "rsync/far": ["channel", "rsync/common"],
  "rsync": ["channel", "gateway", "rsync/common", RECEIVER_TEXT],
  "gateway/process": ["channel", "xspec"],
  "gateway/agent": ["channel", "xspec", "gateway/process"],
  "gateway/inside": ["channel", "xspec", "gateway/process", "gateway/agent"],
  "gateway/shipping": ["xspec"],
  "gateway/slurm": ["channel"],
  "gateway/telemetry": ["channel", "gateway/process"],
  "gateway/socket": ["channel"],
  "gateway/server": ["channel", "xspec", "gateway/process", "gateway/socket", AGENT_TEXT],
  "gateway": [
    "channel",
    "xspec",
    "gateway/process",
    "gateway/inside",
    "gateway/shipping",
    "gateway/slurm",
    "gateway/socket",
    "gateway/telemetry",
    AGENT_TEXT,
    SERVER_TEXT,
    TERMINAL_TEXT,
  ],
  "gateway/probe": ["channel", "xspec", "gateway", "gateway/process", "gateway/slurm", "gateway/socket"],
  "agent.ts": ["gateway/agent", "gateway/process", "gateway/server"],
  "remote.d.ts": ["channel"],
};

/** What third-party code a layer may import. */
const OUTSIDE: Readonly<Record<string, readonly RegExp[]>> = {
  "cli": [/^jsr:@std\/(cli|path)@|^npm:\/?deno-std@/],
  "cli/repl": [/^npm:\/?(?:acorn|@jridgewell\/trace-mapping)@/, /^node:(?:module|process|readline|util)$/],
  "rsync": [/^node:(zlib|util)$/],
  "gateway/process": [/^node:/],
  "gateway/agent": [/^node:/],
  "gateway/shipping": [
    /^node:crypto$/,
    /^npm:\/?acorn@/,
    /^npm:\/?periscopic@/,
    /^npm:\/?@jridgewell\/trace-mapping@/,
  ],
  "gateway/server": [/^jsr:@std\/cli@|^npm:\/?deno-std@/, /^node:/],
  "gateway/probe": [/^node:dns\/promises$/],
  "gateway": [/^node:/],
};

/** Circles through types within one folder. A gateway names its group, and a group holds gateways. */
const KNOWN_CIRCLES: readonly string[] = ["gateway/gateway.ts → gateway/group.ts → gateway/gateway.ts"];

const ROOTS = [
  "mod.ts",
  "agent.ts",
  "cli.ts",
  "remote.d.ts",
  "gateway/agent/entry.ts",
  "gateway/shipping/module_source.ts",
  "rsync/far/entry.ts",
];

for (const root of ROOTS) {
  test(`${root} imports along the arrows only`, async () => {
    const wrong: string[] = [];
    for (const [from, targets] of await importsOf(root)) {
      const layer = layerOf(from);
      for (const to of targets) {
        if (!(await isOwn(to))) {
          if (!OUTSIDE[layer]?.some((pattern) => pattern.test(to))) wrong.push(`${from} → ${to}`);
          continue;
        }
        if (from === "mod.ts") {
          if (!/^[a-z]+\/mod\.ts$/.test(to)) wrong.push(`${from} → ${to}`);
          continue;
        }
        const target = layerOf(to);
        if (target !== layer && !ARROWS[layer]?.includes(target)) wrong.push(`${from} → ${to}`);
      }
    }
    assertEquals(wrong, []);
  });

  test(`${root} imports in no circle`, async () => {
    assertEquals(circlesOf(await importsOf(root, "code"), root), []);
  });

  test(`${root} imports in no circle, imports of types included, but for the known ones`, async () => {
    const circles = circlesOf(await importsOf(root), root);
    assertEquals(circles.filter((circle) => !KNOWN_CIRCLES.includes(circle)), []);
  });
}

/** Every circle that a walk meets, each written from its first file in the alphabet. */
function circlesOf(imports: ReadonlyMap<string, ReadonlySet<string>>, root: string): string[] {
  const done = new Set<string>();
  const circles = new Set<string>();
  const visit = (path: string, trail: readonly string[]): void => {
    const at = trail.indexOf(path);
    if (at >= 0) {
      const circle = trail.slice(at);
      const first = circle.indexOf([...circle].sort()[0]!);
      circles.add([...circle.slice(first), ...circle.slice(0, first), circle[first]].join(" → "));
      return;
    }
    if (done.has(path)) return;
    for (const target of imports.get(path) ?? []) visit(target, [...trail, path]);
    done.add(path);
  };
  visit(root, []);
  return [...circles];
}

function isOwn(path: string): Promise<boolean> {
  return Deno.stat(new URL(path, ROOT)).then((info) => info.isFile && !path.includes(":"), () => false);
}

test("the script that gateways ship holds nothing of the server", async () => {
  const rooms = new Set([...(await importsOf("gateway/agent/entry.ts", "code")).keys()].map(layerOf));
  const own = [...rooms].filter((room) => !room.startsWith("node:")).sort();
  assertEquals(own, ["channel", "gateway/agent", "gateway/process", "xspec"]);
});

test("the script that copies ship holds nothing but its own side, and runs where no module can be loaded", async () => {
  const imports = await importsOf("rsync/far/entry.ts", "code");
  assertEquals([...new Set([...imports.keys()].map(layerOf))].sort(), [
    "channel",
    "rsync/common",
    "rsync/far",
  ]);
});

test("rsync takes nothing of gateways but their types, and executions that they lend", async () => {
  for await (const { name } of Deno.readDir(new URL("rsync/", ROOT))) {
    if (!name.endsWith(".ts")) continue;
    const text = await Deno.readTextFile(new URL(`rsync/${name}`, ROOT));
    const imports = [...text.matchAll(/^import (?!type)[^;]*"\.\.\/gateway[^;]*;/gm)].map(([line]) => line);
    assertEquals(imports, name === "rsync.ts" ? ['import { Gateway } from "../gateway/mod.ts";'] : [], name);
    for (const [use] of text.matchAll(/\bGateway\.\w+/g)) assertEquals(use, "Gateway.lend", name);
  }
});

test("channel/ and xspec/ use nothing of Deno, of a process or of a global that a worker lacks", async () => {
  const wrong: string[] = [];
  for (const folder of ["channel", "xspec"]) {
    for await (const { name } of Deno.readDir(new URL(`${folder}/`, ROOT))) {
      if (!name.endsWith(".ts")) continue;
      const text = await Deno.readTextFile(new URL(`${folder}/${name}`, ROOT));
      const code = text.replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, " "))
        .replace(/^(\s*)\/\/.*$/gm, "$1");
      for (const [i, line] of code.split("\n").entries()) {
        if (/(?<![\w./"'`])(?:Deno|process|window|document|localStorage)\s*[.[]/.test(line)) {
          wrong.push(`${folder}/${name}:${i + 1}: ${line.trim()}`);
        }
      }
    }
  }
  assertEquals(wrong, []);
});

test("Every folder of the public surface has a mod.ts that holds no code", async () => {
  for (const folder of ["channel", "xspec", "gateway", "rsync"]) {
    const text = await Deno.readTextFile(new URL(`${folder}/mod.ts`, ROOT));
    const rest = text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(export|import)[^;]*;/g, "").trim();
    assertEquals(rest, "", folder);
  }
});

test("Third-party code of gateway/shipping is loaded only where functions are shipped", async () => {
  const imports = await importsOf("gateway/shipping/function_source.ts", "code");
  const outside = [...imports.values()].flatMap((targets) => [...targets]).filter((to) =>
    to.startsWith("npm:")
  );
  assert(outside.length > 0);
  for (const targets of imports.values()) {
    for (const to of targets) {
      assert((await isOwn(to)) || OUTSIDE["gateway/shipping"]!.some((pattern) => pattern.test(to)), to);
      if (await isOwn(to)) assertEquals(layerOf(to), "gateway/shipping");
    }
  }
  await checkLoadedLate("shipping");
});

test("What reports to OpenTelemetry is loaded only where that is on", async () => {
  await checkLoadedLate("telemetry");
});

/** Checks that nothing outside of a room of `gateway` loads it at once. */
async function checkLoadedLate(room: string): Promise<void> {
  const atOnce = new RegExp(`^(?:import|export)\\s+(?!type\\b)[^;]*?from\\s+"[^"]*/${room}/`, "m");
  for (const folder of ["", "gateway/"]) {
    for await (const { name, isFile } of Deno.readDir(new URL(folder, ROOT))) {
      if (!isFile || !name.endsWith(".ts")) continue;
      const text = await Deno.readTextFile(new URL(folder + name, ROOT));
      const where = `${folder}${name}: types only, and import() for the rest`;
      assertEquals(atOnce.exec(text)?.[0], undefined, where);
    }
  }
}
