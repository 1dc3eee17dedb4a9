/** The root folders that images of test containers are made from: busybox and, if wished, what Deno needs. */

import { findProgram } from "./need.ts";
import { run } from "./run.ts";
import type { DenoPlace } from "./ssh_users.ts";

/** What is in an image. */
export interface ImageOptions {
  /** Where Deno is found; by default nowhere. It is mounted, so nothing there can change it. */
  deno?: DenoPlace;
  /** Whether the system libraries that Deno needs are there; by default they are if Deno is. */
  libraries?: boolean;
  /**
   * Programs to leave out, such as `setsid`. busybox's own shell has all of its programs built in, so the shell is
   * dash then, with the C library.
   */
  without?: readonly string[];
}

/** The same for options that make the same image. */
export function imageKey(options: ImageOptions): string {
  return JSON.stringify([hasLibraries(options), [...options.without ?? []].sort()]);
}

/** Fills a new folder. */
export async function makeRoot(root: string, options: ImageOptions): Promise<void> {
  for (const folder of ["bin", "dev", "etc", "proc", "root", "sys", "tmp"]) {
    await Deno.mkdir(`${root}/${folder}`, { recursive: true });
  }
  await Deno.writeTextFile(`${root}/etc/passwd`, "root:x:0:0:root:/root:/bin/sh\n");
  await Deno.writeTextFile(`${root}/etc/group`, "root:x:0:\n");
  const busybox = findProgram("busybox")!;
  await Deno.copyFile(busybox, `${root}/bin/busybox`);
  const programs = (await run([busybox, "--list"])).stdout.trim().split("\n");
  const left = new Set([...options.without ?? [], "busybox"]);
  for (const name of programs) {
    if (!left.has(name)) await Deno.symlink("busybox", `${root}/bin/${name}`);
  }
  if (hasLibraries(options)) await copyLibraries(root, await Deno.realPath(Deno.execPath()));
  if ((options.without ?? []).length === 0) return;
  const dash = findProgram("dash")!;
  await Deno.remove(`${root}/bin/sh`);
  await Deno.copyFile(dash, `${root}/bin/sh`);
  await copyLibraries(root, dash);
}

async function copyLibraries(root: string, program: string): Promise<void> {
  const { stdout } = await run(["ldd", program]);
  for (const [library] of stdout.matchAll(/\/\S+/g)) {
    await Deno.mkdir(`${root}${library.slice(0, library.lastIndexOf("/"))}`, { recursive: true });
    await Deno.copyFile(library, `${root}${library}`);
  }
}

function hasLibraries(options: ImageOptions): boolean {
  return options.libraries ?? (options.deno ?? "none") !== "none";
}
