/** Folders of files as data: to be looked at, compared and made. */

/** What is at a path. */
export interface TreeEntry {
  /** What it is. */
  readonly kind: "file" | "folder" | "link" | "special";
  /** Its permission bits, in octal; that of a link means nothing. */
  readonly mode: string;
  /** When it was modified, in milliseconds. */
  readonly mtime: number;
  /** The content of a file as a digest, or what a link says. */
  readonly content: string;
}

/** What there is below a folder, the folder itself as `.`, by path. */
export async function readTree(root: string): Promise<Map<string, TreeEntry>> {
  const tree = new Map<string, TreeEntry>();
  const visit = async (name: string): Promise<void> => {
    const path = name === "." ? root : `${root}/${name}`;
    const info = Deno.lstatSync(path);
    const mode = (info.mode! & 0o7777).toString(8);
    const mtime = info.mtime!.getTime();
    if (info.isSymlink) {
      tree.set(name, { kind: "link", mode: "", mtime, content: Deno.readLinkSync(path) });
    } else if (info.isFile) {
      tree.set(name, { kind: "file", mode, mtime, content: await digestOf(path) });
    } else if (!info.isDirectory) {
      tree.set(name, { kind: "special", mode, mtime, content: "" });
    } else {
      tree.set(name, { kind: "folder", mode, mtime, content: "" });
      const names = [...Deno.readDirSync(path)].map((entry) => entry.name).sort();
      for (const one of names) await visit(name === "." ? one : `${name}/${one}`);
    }
  };
  await visit(".");
  return tree;
}

/** The SHA-256 of a file. */
export async function digestOf(path: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", Deno.readFileSync(path));
  return new Uint8Array(digest).toHex();
}

/** A tree as text, a line for each entry: what tests compare. */
export async function describeTree(root: string): Promise<string[]> {
  return [...await readTree(root)].map(([name, { kind, mode, mtime, content }]) =>
    `${JSON.stringify(name)} ${kind} ${mode} ${mtime} ${content}`
  );
}

/** Sets the time of modification of something that is no link. */
export function setTime(path: string, ms: number): void {
  Deno.utimeSync(path, new Date(ms), new Date(ms));
}
