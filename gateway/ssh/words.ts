/** The words of `ssh=`, as OpenSSH reads its command line. Pure. */

import { splitWords, XSpecError } from "../../xspec/mod.ts";
import type { XSpec } from "../../xspec/mod.ts";

/** What a spec says of the way to a host. */
export interface SshWords {
  /** Options, with `-F` where the spec has a configuration file. */
  readonly options: readonly string[];
  /** `[user@]host`. */
  readonly destination: string;
  /** The configuration file that is given, `none` for no file at all. */
  readonly config: string | undefined;
}

/** Options of one letter that take a value. */
const WITH_VALUE = "BbcDEeFIiJLlmOoPpQRSWw";

/** Options that leave no session with a shell, or a session that changes bytes. */
const USELESS = "fGNnOQsTtVWw";

/**
 * Reads them.
 *
 * @throws {XSpecError} without a destination, with a command, and with options that leave no way for bytes
 */
export function readSshWords(spec: XSpec): SshWords {
  const refuse = (why: string): never => {
    throw new XSpecError(`Cannot make a gateway by ssh=${spec.ssh}: ${why}`, String(spec), "ssh");
  };
  const options: string[] = spec.sshConfig === undefined ? [] : ["-F", spec.sshConfig];
  let config = spec.sshConfig;
  let destination: string | undefined;
  const words = splitWords(spec.ssh!, "ssh", String(spec));
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    if (!word.startsWith("-") || word === "-") {
      if (destination !== undefined) refuse(`"${word}" would be a command, and the gateway is the command`);
      destination = word;
      continue;
    }
    if (word.startsWith("--")) refuse(`ssh has no option "${word}"`);
    for (let at = 1; at < word.length; at++) {
      const letter = word[at]!;
      if (USELESS.includes(letter)) refuse(`-${letter} leaves no way for the gateway's bytes`);
      // What ssh says is kept for errors only; without it nobody would know why it fails.
      if (letter === "q") continue;
      if (!WITH_VALUE.includes(letter)) {
        options.push(`-${letter}`);
        continue;
      }
      const value = word.slice(at + 1) || words[++i] || refuse(`-${letter} needs a value`);
      if (letter === "F") {
        if (config !== undefined) refuse("a configuration file is given twice");
        config = value;
      }
      options.push(`-${letter}`, value);
      break;
    }
  }
  return { options, destination: destination || refuse("it names no host"), config };
}
