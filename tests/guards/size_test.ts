/** What is shipped and what is imported, in bytes. */

import { assert, assertEquals } from "jsr:@std/assert@^1.0.19";
import { agentScript } from "../../gateway/_agent_bundle.ts";
import { receiverScript } from "../../rsync/_receiver_bundle.ts";
import { test } from "../helpers/bounded.ts";
import { atMost } from "./bounds.ts";

const ROOT = new URL("../../", import.meta.url);

/** They grow with what they can do; what grows by more than this is looked at. */
const SLACK = 1.02;

test("the scripts that are shipped, and the server in one file, have their sizes", async () => {
  const { size } = await Deno.stat(new URL("agent.js", ROOT));
  atMost("bytes of the agent", agentScript().length, 116_022, SLACK);
  atMost("bytes of the receiver", new TextEncoder().encode(receiverScript()).length, 25_642, SLACK);
  atMost("bytes of the server", size, 186_768, SLACK);
});

interface Info {
  roots: string[];
  redirects: Record<string, string>;
  modules: {
    specifier: string;
    size?: number;
    error?: string;
    dependencies?: { code?: { specifier: string }; isDynamic?: boolean }[];
  }[];
}

test("importing mod.ts loads its own files only, and not more of them than today", async () => {
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", "mod.ts"],
    cwd: ROOT,
    stderr: "inherit",
  }).output();
  assert(success);
  const { roots, redirects, modules }: Info = JSON.parse(new TextDecoder().decode(stdout));
  const known = new Map(modules.map((module) => [module.specifier, module]));
  const loaded = new Set<string>();
  let bytes = 0;
  const visit = (specifier: string): void => {
    specifier = redirects[specifier] ?? specifier;
    if (loaded.has(specifier)) return;
    loaded.add(specifier);
    const module = known.get(specifier);
    bytes += module?.size ?? 0;
    for (const { code, isDynamic } of module?.dependencies ?? []) {
      if (code !== undefined && !isDynamic) visit(code.specifier);
    }
  };
  visit(roots[0]!);
  assertEquals([...loaded].filter((specifier) => !specifier.startsWith(ROOT.href)), []);
  atMost("modules of mod.ts", loaded.size, 169, SLACK);
  atMost("bytes of the modules of mod.ts", bytes, 1_002_461, SLACK);
});
