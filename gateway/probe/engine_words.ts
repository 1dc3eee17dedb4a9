/** What engines of containers say of a container in which nothing can be run. Pure. */

import type { Trouble } from "./finding.ts";

/** In this order: what is more specific stands further up. */
const MEANINGS: readonly (readonly [RegExp, Trouble, string])[] = [
  [
    /no container with name or ID|No such container|pods? "[^"]*" not found|container not found|no such object/i,
    "no-container",
    "there is no such container",
  ],
  [/namespaces? "[^"]*" not found/i, "no-container", "there is no such namespace"],
  [
    /container state improper|is not running|container not running|completed pod|is paused|cannot exec in a stopped/i,
    "stopped",
    "the container does not run",
  ],
  [
    /permission denied.*(docker|podman).*sock|(docker|podman).*sock.*permission denied|\(Forbidden\)|\(Unauthorized\)|must be logged in/i,
    "engine-denied",
    "the engine does not let this user in",
  ],
  [
    /Cannot connect to (the Docker daemon|Podman)|connection to the server .* was refused|Unable to connect to the server|no configuration has been provided/i,
    "no-engine",
    "the engine does not answer",
  ],
  [
    /executable file[^]*not found|exec(?: failed)?:[^]*"sh"[^]*(not found|no such file)|`sh`[^]*not found/i,
    "no-shell",
    "there is no sh in the container",
  ],
];

/** What the words of an engine mean; undefined where they are none of an engine's. */
export function readEngine(stderr: string): { trouble: Trouble; found: string } | undefined {
  const meaning = MEANINGS.find(([pattern]) => pattern.test(stderr));
  return meaning === undefined ? undefined : { trouble: meaning[1], found: meaning[2] };
}
