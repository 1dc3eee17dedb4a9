/** `strace`, which writes down system calls, and the permission to use it. */

import { failing, part } from "./need.ts";
import type { Part } from "./need.ts";

/** Debian's `strace`, on a machine that lets a program trace its own children. */
export const STRACE: Part = part(
  "strace",
  () => failing(["strace", "-f", "--seccomp-bpf", "-o", "/dev/null", "true"]),
);
