/** What `deno check` and editors know of remote modules: see docs/typed_remote_code.md, whose blocks are checked here. */

import { assert, assertEquals, assertStringIncludes } from "jsr:@std/assert@^1.0.19";
import { moduleSource } from "../gateway/shipping/module_source.ts";
import { test } from "./helpers/bounded.ts";
import { withFolder } from "./helpers/folder.ts";
import { LanguageServer } from "./helpers/language_server.ts";
import { run } from "./parts/run.ts";

const ROOT = new URL("../", import.meta.url);
const LIMIT_MS = 120_000;

/** The line that a mistake is on ends with this and with the beginning of what is said of it. */
const EXPECTED = "// error: ";

/** Remote modules by their files. Folders with options of their own are programs of their own, to which the globals of others are unknown. */
const MODULES: Readonly<Record<string, string>> = {
  "globals/reference.ts": `
    /// <reference types="@execnet/execnet/remote" />
    if (__name__ === "__channelexec__") await channel.send([1, new Map(), await channel.receive()]);
    await channel.send(() => 1); // error: Argument of type '() => number' is not assignable
    const text: string = await channel.receive(); // error: Type 'Item' is not assignable to type 'string'.
    const main: "__main__" = __name__; // error: Type '"__channelexec__"' is not assignable to type '"__main__"'.
    await channel.send([text, main, channel.gateway.id, channel.gateway.newChannel()]);
    export {};`,
  "globals/import_type.ts": `
    import type {} from "@execnet/execnet/remote";
    for await (const item of channel) await channel.send(item);
    channel.sent(1); // error: Property 'sent' does not exist on type 'Channel<Item, Item, ChannelGateway>'.`,
  "globals/own.ts": `
    import type { Channel } from "@execnet/execnet";
    declare const channel: Channel<string, number>;
    await channel.send((await channel.receive()).length);
    await channel.send(await channel.receive()); // error: Argument of type 'string' is not assignable`,
  "jobs/by_config.ts": `
    await channel.send(await channel.receive());
    await channel.send(Symbol.iterator); // error: Argument of type 'unique symbol' is not assignable
    export {};`,
  "plain/declared.ts": `
    import type { Channel } from "@execnet/execnet";
    export type Io = Channel<number, string>;
    declare const channel: Io;
    for await (const n of channel) await channel.send(n.toFixed(2));
    await channel.send(1); // error: Argument of type 'number' is not assignable to parameter of type 'string'.
    const text: string = await channel.receive(); // error: Type 'number' is not assignable to type 'string'.
    console.log(text, __name__); // error: Cannot find name '__name__'.`,
  "plain/default_export.ts": `
    import type { Channel } from "@execnet/execnet";
    export default async (channel: Channel<number, string>, { times }: { times: number }): Promise<void> => {
      await channel.send("x".repeat(times * await channel.receive()));
      await channel.send(times); // error: Argument of type 'number' is not assignable to parameter of type 'string'.
    };`,
  "plain/undeclared.ts": `
    await channel.send(1); // error: Cannot find name 'channel'.
    export {};`,
  "plain/caller.ts": `
    import { makeGateway } from "@execnet/execnet";
    import type { Io } from "./declared.ts";
    import type job from "./default_export.ts";
    const gateway = await makeGateway();
    const one = gateway.remoteExec<typeof job>(new URL("file:///job.ts"), { kwargs: { times: 2 } });
    await one.send((await one.receive()).length);
    await one.send("1"); // error: Argument of type 'string' is not assignable to parameter of type 'number'.
    gateway.remoteExec<typeof job>(new URL("file:///job.ts"), { kwargs: { times: "2" } }); // error: No overload matches
    const other = gateway.remoteExec<(channel: Io) => void>(new URL("file:///declared.ts"));
    await other.send("1"); // error: Argument of type 'string' is not assignable to parameter of type 'number'.
    const item: number = await other.receive(); // error: Type 'string' is not assignable to type 'number'.
    console.log(item);`,
};

/**
 * Deno checks together what has the same options; those of `jobs`, and that it is a part of the project, are the page's.
 * Most of the package takes long to check, and adds nothing to a channel.
 */
const CONFIGS: Readonly<Record<string, unknown>> = {
  globals: {
    imports: { "@execnet/execnet": "../execnet/channel/mod.ts" },
    compilerOptions: { noFallthroughCasesInSwitch: true },
  },
  plain: { compilerOptions: { noImplicitThis: true } },
};

/** A mistake as it is compared: where, and the beginning of what is said. */
type Mistake = string;

test("deno check knows the channel of remote modules, and tells of wrong items where they are", async () => {
  await withFolder(async (folder) => {
    const page = await pageFiles();
    const files: Record<string, string> = { ...MODULES, ...page };
    await write(folder, files);
    const { code, stderr } = await run(
      [Deno.execPath(), "check", "--quiet", ...Object.keys(files).filter((path) => path.endsWith(".ts"))],
      { mayFail: true, env: { NO_COLOR: "1" }, cwd: folder, limit: LIMIT_MS },
    );
    const expected = Object.entries(MODULES).flatMap(([path, text]) => expectedIn(path, text)).sort();
    assertEquals(shorten(found(stderr, folder), expected), expected, stderr);
    assertEquals([code, Object.keys(page).length], [1, 5]);

    // Types are gone before a module is shipped, and so is what asks for them.
    for (const path of ["globals/reference.ts", "globals/import_type.ts", "plain/declared.ts"]) {
      const { code } = await moduleSource(new URL(`file://${folder}/${path}`));
      assert(!/^import|^declare|^\/\/\/|remote\.d\.ts/m.test(code), code);
      assertStringIncludes(code, "channel.send(");
    }
  });
}, LIMIT_MS);

test("An editor shows the type of channel in a remote module", async () => {
  await withFolder(async (folder) => {
    await write(folder, MODULES);
    await using editor = await LanguageServer.start(folder);
    for (
      const [path, type] of [
        ["jobs/by_config.ts", "Channel<Item, Item, ChannelGateway>"],
        ["globals/reference.ts", "Channel<Item, Item, ChannelGateway>"],
        ["globals/own.ts", "Channel<string, number, ChannelGateway>"],
      ] as const
    ) {
      const text = fixture(MODULES[path]!);
      await editor.open(path, text);
      assertStringIncludes(await editor.hover(path, placeOf(text, "channel.send")), `channel: ${type}`, path);
    }
  });
}, LIMIT_MS);

/** Writes files, in programs of their own, into a project as the page describes it: with a copy of the package beside them. */
async function write(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  const folders = [...new Set(Object.keys(files).map((path) => path.slice(0, path.lastIndexOf("/"))))];
  const { imports } = JSON.parse(await Deno.readTextFile(new URL("deno.json", ROOT)));
  const { "deno.json": project, "jobs/deno.json": jobs } = await pageBlocks("json");
  const own = JSON.parse(project!);
  const config = {
    workspace: [...own.workspace, ...folders.filter((name) => name !== "jobs").map((name) => `./${name}`)],
    imports: { ...imports, ...own.imports },
  };
  await Deno.symlink(new URL(".", ROOT), `${folder}/execnet`);
  await Deno.writeTextFile(`${folder}/deno.json`, JSON.stringify(config));
  for (const name of folders) {
    await Deno.mkdir(`${folder}/${name}`);
    const text = name === "jobs" ? jobs! : JSON.stringify(CONFIGS[name] ?? {});
    await Deno.writeTextFile(`${folder}/${name}/deno.json`, text);
  }
  for (const [path, text] of Object.entries(files)) {
    await Deno.writeTextFile(`${folder}/${path}`, fixture(text));
  }
}

/** A text without the line break before it and the indentation of this file. */
function fixture(text: string): string {
  return text.replace(/^\n/, "").replaceAll(/^ {4}/gm, "") + "\n";
}

/** The blocks of the page that are modules, those that ask for the globals apart from the others. */
async function pageFiles(): Promise<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(await pageBlocks("ts")).map(([path, text]) => {
      const folder = path.startsWith("jobs/") ? "jobs" : text.includes("/remote") ? "globals" : "plain";
      return [`${folder}/page_${path.replace("jobs/", "")}`, text.replaceAll('"./', '"./page_')];
    }),
  );
}

/** The blocks of the page that are files, by their names. */
async function pageBlocks(language: string): Promise<Record<string, string>> {
  const page = await Deno.readTextFile(new URL("docs/typed_remote_code.md", ROOT));
  const blocks = page.matchAll(/^<!-- file: (\S+) -->\n\n```(\w+)\n([^]*?)^```$/gm);
  return Object.fromEntries(
    [...blocks].flatMap(([, name, of, text]) => of === language ? [[name!, text!]] : []),
  );
}

/** What should be said of a module. */
function expectedIn(path: string, text: string): Mistake[] {
  return fixture(text).split("\n").flatMap((line, i) => {
    const [, words] = line.split(EXPECTED);
    return words === undefined ? [] : [`${path}:${i + 1}: ${words}`];
  });
}

/** What `deno check` has said. */
function found(stderr: string, folder: string): Mistake[] {
  const pattern = /^TS(?!2771)\d+ \[ERROR\]: (.*)\n[^]*?^ {4}at file:\/\/(\S+?):(\d+):\d+$/gm;
  return [...stderr.matchAll(pattern)].map(([, words, path, line]) =>
    `${path!.slice(folder.length + 1)}:${line}: ${words}`
  ).sort();
}

/** Cuts what was said to what is expected of it. */
function shorten(said: readonly Mistake[], expected: readonly Mistake[]): Mistake[] {
  return said.map((one) => expected.find((beginning) => one.startsWith(beginning)) ?? one);
}

/** Where a text stands: its line and column, from 0. */
function placeOf(text: string, part: string): { line: number; character: number } {
  const before = text.slice(0, text.indexOf(part)).split("\n");
  return { line: before.length - 1, character: before.at(-1)!.length };
}
