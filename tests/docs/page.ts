/** Runs the blocks of a page, one after the other, in a folder of the page's own. */

import { assert, assertEquals } from "jsr:@std/assert@^1.0.19";
import type { Block } from "./blocks.ts";
import { assertOutput, assertPrinted, promisedBy } from "./output.ts";
import { Shell } from "./shell.ts";
import type { World } from "./world.ts";

/** Where the project is. */
export const ROOT: string = new URL("../../", import.meta.url).pathname.slice(0, -1);

/** Something to run, and what it promises. */
export interface Step {
  /** The block it begins with. */
  readonly block: Block;
  /** Its text, and that of the blocks that go on with it. */
  readonly text: string;
  /** What the page says in blocks that each of its blocks prints, where it says so. */
  readonly output: readonly (string | undefined)[];
  /** The file that it is, or is written to. */
  readonly file: string;
}

/** The languages of what is run. */
const RUN = ["ts", "sh"];
/** The languages of what may be a file, or an output, or is for readers only. */
const KNOWN = [...RUN, "text", "json", "mermaid", "python", ""];
/** A line that a reader would type, or run; a block with one is no drawing, though it has no language. */
const TYPED = /^\s*(\$ |deno |import )/m;

/** Puts the blocks of a page together to what is run or written, in its order. */
export function stepsOf(page: string, blocks: readonly Block[]): Step[] {
  const steps: { block: Block; text: string; output: (string | undefined)[]; file: string }[] = [];
  let last: typeof steps[number] | undefined;
  for (const block of blocks) {
    const where = `${page}:${block.line}`;
    const { language, marker, text } = block;
    assert(KNOWN.includes(language), `${where}: no language that is known: "${language}"`);
    if (marker?.kind === "skip") {
      last = undefined;
    } else if (language === "text") {
      if (last === undefined || last.output.at(-1) !== undefined) {
        throw new Error(`${where}: the output of nothing`);
      }
      last.output.splice(-1, 1, text);
    } else if (marker?.kind === "after") {
      if (last?.block.language !== language) throw new Error(`${where}: goes on with nothing`);
      last.text += text;
      last.output.push(undefined);
    } else if (marker?.kind === "file") {
      steps.push({ block, text, output: [], file: marker.name });
      last = undefined;
    } else if (RUN.includes(language)) {
      last = { block, text, output: [undefined], file: `block_${block.line}.${language}` };
      steps.push(last);
    } else if (language === "json") {
      throw new Error(`${where}: JSON that is no file is used by nothing`);
    } else if (language === "python" || language === "" && TYPED.test(text)) {
      throw new Error(`${where}: is not run, and does not say why`);
    }
  }
  return steps;
}

/** Whether a page tells of hosts, containers or ports, so that it runs in their world. */
export function needsWorld(steps: readonly Step[]): boolean {
  return steps.some(({ text }) => /\bbuild[1-3]\b|\bbox\b|:8888|--listen|\bslurm\b/.test(text));
}

/** Writes what has to be there, and all programs, so that their types can be checked in one go. */
export async function writePage(folder: string, steps: readonly Step[]): Promise<string[]> {
  await Deno.mkdir(`${folder}/home`, { recursive: true });
  await Deno.symlink(ROOT, `${folder}/execnet`);
  const programs: string[] = [];
  for (const { file, text, block } of steps) {
    const path = `${folder}/${file}`;
    await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    await Deno.writeTextFile(path, text);
    if (block.language === "ts") programs.push(path);
  }
  return programs;
}

/** Runs all steps of a page that has been written, and compares what they print. */
export async function runPage(
  page: string,
  folder: string,
  steps: readonly Step[],
  given: { readonly env: Readonly<Record<string, string>>; readonly world: World | undefined },
): Promise<void> {
  const { world } = given;
  const home = `${folder}/home`;
  const path = [`${home}/.deno/bin`, ...(world === undefined ? [] : [world.programs]), given.env.PATH].join(
    ":",
  );
  const env = { ...given.env, HOME: home, PATH: path, NO_COLOR: "1" };
  await using shell = new Shell(folder, env);
  for (const { block, text, output, file } of steps) {
    if (block.marker?.kind === "file") continue;
    const where = `${page}:${block.line}`;
    const command = block.language === "sh"
      ? ["bash", "-e", file]
      : [Deno.execPath(), "run", "--quiet", "--no-check", "-A", file];
    const place = world?.placeOf(text) ?? { prefix: [], env: {} };
    if (block.marker?.kind === "until") {
      await shell.serve(command, place, block.marker.text, where);
      continue;
    }
    const told = output.some((one) => one !== undefined);
    const { code, printed, aside } = await shell.run(command, place, where, told);
    const expected = block.marker?.kind === "code" ? block.marker.code : 0;
    assertEquals(code, expected, `${where}: exit code ${code}, after this was printed:\n${printed}${aside}`);
    if (block.language === "ts") assertPrinted(promisedBy(text), printed, where);
    if (told) assertOutput(output.map((one) => one ?? "…\n").join(""), printed, where);
  }
}
