/** The links of Markdown files that lead to other files of the project, or to places in them. */

import { exists } from "../helpers/folder.ts";

/** The links of a page that lead nowhere, as `line: link`. `path` is the page's own. */
export function deadLinks(path: string, markdown: string, anchors: (path: string) => Set<string>): string[] {
  const dead: string[] = [];
  for (const [at, line] of textLines(markdown)) {
    for (const [, link] of line.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(link!)) continue;
      const [file, anchor] = link!.split("#");
      const target = file === "" ? path : normal(`${path.slice(0, path.lastIndexOf("/"))}/${file}`);
      if (file !== "" && !exists(target)) dead.push(`${at}: ${link} is no file`);
      else if (anchor !== undefined && !(target.endsWith(".md") && anchors(target).has(anchor))) {
        dead.push(`${at}: ${link} is no heading`);
      }
    }
  }
  return dead;
}

/** The anchors that headings get. */
export function anchorsOf(markdown: string): Set<string> {
  const anchors = new Set<string>();
  for (const [, line] of textLines(markdown)) {
    const heading = /^#{1,6} (.+)$/.exec(line)?.[1];
    if (heading === undefined) continue;
    const words = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase().replace(
      /[^\p{L}\p{N}\s_-]/gu,
      "",
    );
    const anchor = words.trim().replaceAll(" ", "-");
    let free = anchor;
    for (let more = 1; anchors.has(free); more++) free = `${anchor}-${more}`;
    anchors.add(free);
  }
  return anchors;
}

/** The lines outside of blocks, with their numbers. */
function* textLines(markdown: string): Generator<[number, string]> {
  let inside = false;
  for (const [at, line] of markdown.split("\n").entries()) {
    if (/^\s*```/.test(line)) inside = !inside;
    else if (!inside) yield [at + 1, line];
  }
}

function normal(path: string): string {
  return new URL(path, "file:///").pathname;
}
