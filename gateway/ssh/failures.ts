/** What ssh's own words mean. Pure. */

import type { Diagnosis } from "../launcher.ts";

/** ssh ends with it when ssh itself has failed; otherwise it ends with the code of the command over there. */
export const SSH_FAILED = 255;

/** A server that has no room for another session on this connection, or a connection that has no room for it. */
export const SESSION_REFUSED: RegExp = /session request failed|Session open refused by peer/;

/** The master connection is gone. */
export const MASTER_GONE: RegExp =
  /mux_client_\w+: (read|write)|Control socket connect\(|master (process )?(is )?(dead|gone)/;

/**
 * In this order: a host key that has changed also leads to a refused login, and every failed login closes a connection.
 */
const KINDS: readonly (readonly [RegExp, Diagnosis])[] = [
  [/Could not resolve hostname/, { kind: "host", state: "the host has no address" }],
  [
    /Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED|No \S+ host key is known/,
    { kind: "hostkey", state: "the host's key is not the one that is known" },
  ],
  [
    /Permission denied \(|Too many authentication failures|No more authentication methods|no such identity[^]*Permission/,
    { kind: "auth", state: "the host does not accept the login" },
  ],
  [/(Connection|Operation) timed out/, { kind: "timeout", state: "the host does not answer" }],
  [
    /Connection refused|No route to host|Network is unreachable|Host is down/,
    { kind: "refused", state: "the host does not take the connection" },
  ],
  [
    /kex_exchange_identification|ssh_exchange_identification|Connection (closed|reset) by/,
    { kind: "refused", state: "the host has closed the connection" },
  ],
];

/** Says why ssh itself has failed. */
export function classifySsh(output: string): Diagnosis {
  for (const [pattern, diagnosis] of KINDS) if (pattern.test(output)) return diagnosis;
  return { kind: "exit", state: `ssh ended with code ${SSH_FAILED}` };
}
