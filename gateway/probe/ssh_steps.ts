/** What ssh says with `-v`: which step it has come to. Pure. */

import { SSH_FAILED } from "../ssh/failures.ts";
import { failed, well } from "./finding.ts";
import type { Facts, Finding, Step, Trouble } from "./finding.ts";
import { beforeBanners, lastOf, shownKey } from "./ssh_log.ts";
import type { SshAnswer } from "./ssh_log.ts";
import { ownWords, whyNot } from "./ssh_reasons.ts";

/** What ssh says when a step is done. Hosts in between say the same, before. */
const SIGNS = {
  shared: /mux_client_request_session|auto-mux: Trying existing master/,
  name: /debug1: Connecting to |Executing proxy command/,
  port: /debug1: Remote protocol version/,
  // What comes behind the look at the host's key.
  "host key": /debug1: SSH2_MSG_NEWKEYS sent/,
  login: /^Authenticated to .* using "[^"]*"/m,
} as const;

const ORDER = ["name", "port", "host key", "login"] as const;

/** Where a trouble belongs, whatever has been said before of hosts in between. */
const STEPS: Readonly<Partial<Record<Trouble, typeof ORDER[number]>>> = {
  "no-address": "name",
  "port-closed": "port",
  "no-route": "port",
  "key-changed": "host key",
  "key-unknown": "host key",
  "login-refused": "login",
  "no-key": "login",
  "key-locked": "login",
  "key-open": "login",
  "more-factors": "login",
  "too-many-keys": "login",
};

/** What the steps up to the login have come to, in their order, up to the one that has failed. */
export function readLogin(answer: SshAnswer, facts: Facts): [Step, Finding][] {
  const { stderr, late } = answer;
  if (SIGNS.shared.test(stderr) && !SIGNS.port.test(stderr)) {
    if (answer.code === SSH_FAILED || late) {
      return [["login", late ? silent("login", stderr, facts) : whyNot(answer, facts)]];
    }
    return ORDER.map((step) => [step, well("over the connection that ssh keeps open")]);
  }
  const undone = ORDER.find((step) => !SIGNS[step].test(stderr));
  let bad: [typeof ORDER[number], Finding] | undefined;
  if (undone !== undefined || answer.code === SSH_FAILED) {
    const finding = late ? silent(undone!, stderr, facts) : whyNot(answer, facts);
    const step = STEPS[finding.trouble!] ?? undone;
    // What ends behind the login is for the shell to tell.
    if (step !== undefined) bad = [step, finding];
  }
  const steps: [Step, Finding][] = [];
  let from = 0;
  for (const step of ORDER) {
    if (step === bad?.[0]) return [...steps, bad];
    const to = answer.at(SIGNS[step]) ?? from;
    steps.push([step, well(foundAt(step, stderr, facts), to - from)]);
    from = to;
  }
  return steps;
}

function foundAt(step: typeof ORDER[number], stderr: string, { user = "you" }: Facts): string {
  const own = beforeBanners(stderr);
  const [, address, port] = /debug1: Connecting to \S+ \[([^\]]*)\] port (\d+)/.exec(own) ?? [];
  switch (step) {
    case "name":
      return address ?? "left to the ProxyCommand";
    case "port": {
      const software = lastOf(/debug1: Remote protocol version .*, remote software version (.*)/g, own) ??
        "SSH";
      return port === undefined ? software : `port ${port}: ${software}`;
    }
    case "host key":
      return shownKey(stderr) ?? "known";
    case "login": {
      const method = lastOf(/^Authenticated to .* using "([^"]*)"/gm, stderr);
      const key = lastOf(/debug1: Server accepts key: (\S+)/g, stderr);
      return `as ${user} by ${method === "publickey" && key !== undefined ? `the key ${key}` : method}`;
    }
  }
}

function silent(step: Step, stderr: string, facts: Facts): Finding {
  const doing: Partial<Record<Step, string>> = {
    name: "the name server does not answer",
    port: "no SSH server answers",
    "host key": "the server does not show its key",
    login: "the login does not come to an end",
  };
  const trouble = step === "port" ? "port-silent" : "late";
  return failed(trouble, doing[step] ?? "no answer", { words: ownWords(stderr), facts });
}
