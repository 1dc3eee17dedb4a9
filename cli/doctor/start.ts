/** What it means that a gateway does not start, though its way was free. Pure. */

import type { ConnectErrorKind, GatewayType, XSpec } from "../../mod.ts";
import { quoteWord } from "../../gateway/probe/mod.ts";
import type { Facts, Step, Trouble } from "../../gateway/probe/mod.ts";
import type { AnyStep, Told } from "./outcome.ts";

/** What a connect error says. */
export interface StartError {
  readonly kind: ConnectErrorKind;
  readonly message: string;
  readonly stderrTail: string;
}

/** Where each kind belongs: a step, and what is wrong with it. */
const KINDS: Readonly<Record<ConnectErrorKind, readonly [step: Step | undefined, trouble: Trouble]>> = {
  host: ["name", "no-address"],
  refused: [undefined, "refused"],
  auth: ["login", "login-refused"],
  hostkey: ["host key", "key-unknown"],
  "no-deno": ["deno", "no-deno"],
  version: ["deno", "old-deno"],
  noise: [undefined, "not-server"],
  timeout: [undefined, "late"],
  exit: [undefined, "exit"],
};

/** What the same kinds are for a server, which has its own Deno and lets in by a token. */
const SERVER_KINDS: Partial<typeof KINDS> = {
  auth: ["proof", "other-token"],
  version: ["proof", "other-version"],
};

/** What they are for Slurm, which lets in by accounts. */
const SLURM_KINDS: Partial<typeof KINDS> = {
  host: ["controller", "no-cluster"],
  refused: ["allocation", "no-nodes"],
  auth: ["allocation", "slurm-denied"],
  timeout: ["allocation", "no-nodes"],
};

/**
 * The step to which a failed start belongs, and what is told of it. A step that was found well before is not blamed: then
 * it is the handshake.
 */
export function readStart(error: StartError, spec: XSpec, done: ReadonlySet<AnyStep>): [AnyStep, Told] {
  const { type } = spec;
  const own = type === "socket" ? SERVER_KINDS : type === "slurm" ? SLURM_KINDS : {};
  const [step, usual] = own[error.kind] ?? KINDS[error.kind];
  const [found, noise] = stateOf(error.message);
  const trouble = troubleOf(error, type, usual);
  const words = [noise, error.stderrTail.trim()].filter((text) => text !== "").join("\n");
  const at = step === undefined || done.has(step) ? "handshake" : step;
  const facts = trouble === "refused" ? wantedOf(found, spec) : {};
  return [at, { state: "failed", found, trouble, facts, ...(words === "" ? {} : { words }) }];
}

function troubleOf({ kind, stderrTail, message }: StartError, type: GatewayType, usual: Trouble): Trouble {
  switch (kind) {
    case "exit":
      if (/gateway "[^"]*" (has ended|was told to end|could not)/.test(message)) return "hop";
      return NO_FOLDER.test(stderrTail) || /: its folder ".*" cannot be made: /s.test(message)
        ? "folder"
        : usual;
    case "no-deno":
      if (/--allow-run/.test(message)) return "permission";
      return /does not run there/.test(message) ? "deno-broken" : usual;
    case "noise":
      return type === "socket" ? usual : "much-noise";
    case "refused":
      return type === "socket" || type === "slurm" ? usual : "dropped";
    default:
      return usual;
  }
}

/** What shells say of a folder that they cannot make or enter. */
const NO_FOLDER =
  /^(mkdir|.*\bcd|sh): .*(cannot create|can't create|can't cd|No such file|Permission denied|Not a directory)/im;

/** What the server would have to be started with, where it says which key it refuses. */
function wantedOf(found: string, spec: XSpec): Facts {
  const [, key, name] = /\(key "(allow-([a-z]+))"\)/.exec(found) ?? [];
  const value = key === undefined ? undefined : spec.get(key);
  if (name === undefined || value === undefined) return {};
  return { wanted: value === true ? name : `${name}=${quoteWord(value)}` };
}

/** The state in an error's message, without what was tried, which is known, and what was said, which comes behind it. */
function stateOf(message: string): [state: string, noise: string] {
  const state = message.replace(/^Cannot start gateway "[^"]*" \(.*?\): /s, "").replace(
    /; its last output: [^]*$/,
    "",
  )
    .replace(/^(the server at \S+ refuses: )Cannot start a gateway with [\w-]+: /, "$1");
  const [, before = state, noise = ""] = /^([^]*?); in place of a greeting came ("[^]*")$/.exec(state) ?? [];
  return [before, noise];
}
