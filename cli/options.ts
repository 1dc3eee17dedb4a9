/** Options that several commands share. */

import type { GatewayOptions } from "../mod.ts";
import type { Given, Option } from "./command.ts";
import type { Terminal } from "./terminal.ts";

/** For people who pipe. */
export const JSON_OUTPUT: Option = { name: "json", tells: "print JSON" };

/** How long the start may take. */
export const CONNECT_TIMEOUT: Option = {
  name: "connect-timeout",
  value: "MS",
  tells: "how long the start may take, in milliseconds (default 30000)",
};

/** How gateways are made for a command: told to end when it is, and what they write on standard error. */
export function connecting(given: Given, terminal: Terminal): GatewayOptions {
  const connectTimeout = given.count("connect-timeout", 1);
  return {
    signal: terminal.signal,
    stderr: "inherit",
    ...(connectTimeout === undefined ? {} : { connectTimeout }),
  };
}
