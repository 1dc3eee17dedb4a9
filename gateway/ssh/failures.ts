/** What ssh's own words mean. Pure. */

import type { Diagnosis } from "../launcher.ts";

/** ssh ends with it when ssh itself has failed; otherwise it ends with the code of the command over there. */
export const SSH_FAILED = 255;

/** A server that has no room for another session on this connection, or a connection that has no room for it. */
export const SESSION_REFUSED: RegExp = /session request failed|Session open refused by peer/;

/** The master connection is gone. */
export const MASTER_GONE: RegExp =
  /mux_client_\w+: (read|write)|Control socket connect\(|master (process )?(is )?(dead|gone)/;

/** ssh's own last word, when it has failed. Whole lines: whatever a server says is a part of one, or a line before. */
const KINDS: readonly (readonly [RegExp, Diagnosis])[] = [
  [/^ssh: Could not resolve hostname/, { kind: "host", state: "the host has no address" }],
  [
    /^Host key verification failed|^No \S+ host key is known/,
    { kind: "hostkey", state: "the host's key is not the one that is known" },
  ],
  [
    /^[^ ]+: Permission denied \(|^Received disconnect from .*: Too many authentication failures|^No more authentication methods/,
    { kind: "auth", state: "the host does not accept the login" },
  ],
  [/timed out/, { kind: "timeout", state: "the host does not answer" }],
  [
    /Connection refused|No route to host|Network is unreachable|Host is down/,
    { kind: "refused", state: "the host does not take the connection" },
  ],
];

/** The host, or what leads to it, is gone. */
const CLOSING = /^((kex|ssh)_exchange_identification: |Connection (closed|reset) by )/;

/** So ends the ssh to a host behind others. What leads there has said why, before. */
const PROXY_CLOSING = /^((kex|ssh)_exchange_identification: |Connection (closed|reset) by UNKNOWN port )/;

/** What the ssh to a host in between says when the one that it serves has ended. */
const KILLED_PROXY = /^Killed by signal \d+\.$/;

/** A server's farewell, in its own words, and what ssh says behind it. */
const FAREWELL = /^Received disconnect from /;
const FAREWELL_END = /^Disconnected from /;

/** What `-v` adds to ssh's own words. */
const VERBOSE = /^(debug\d: |OpenSSH_|Transferred: |Bytes per second: |Authenticated to )/;

/** ssh's own words without what `-v` adds to them: lines that are not empty. */
export function ownLines(output: string): string[] {
  return output.split(/\r*\n/).filter((line) => line.trim() !== "" && !VERBOSE.test(line));
}

/**
 * Says why ssh itself has failed.
 *
 * By its last line, because others need not be ssh's: the banner of a server, which anybody may have written, stands on
 * the same stream. It comes before the login, and ssh's own reason for ending comes behind it. What is left to a hostile
 * server is the case in which ssh ends without a word, and a jump host that closes the connection behind its banner.
 */
export function classifySsh(output: string): Diagnosis {
  const lines = ownLines(output);
  while (KILLED_PROXY.test(lines.at(-1) ?? "")) lines.pop();
  const at = lines.findLastIndex((line) => !PROXY_CLOSING.test(line));
  const last = lines[at] ?? "";
  const said = FAREWELL_END.test(last) ? lines.findLast((line) => FAREWELL.test(line)) ?? last : last;
  const found = KINDS.find(([pattern]) => pattern.test(said));
  if (found !== undefined) return found[1];
  if (at < lines.length - 1 || CLOSING.test(said) || FAREWELL_END.test(last)) {
    return { kind: "refused", state: "the host has closed the connection" };
  }
  return { kind: "exit", state: `ssh ended with code ${SSH_FAILED}` };
}
