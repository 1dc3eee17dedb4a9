/** What ssh says with `-v`, and with `-G`: which step it has come to, and why it goes no further. Pure. */

import { classifySsh, SSH_FAILED } from "../ssh/failures.ts";
import { failed, well } from "./finding.ts";
import type { Facts, Finding, Step, Trouble } from "./finding.ts";

/** What ssh's configuration makes of the words of a spec. */
export interface SshConfig {
  readonly hostname: string;
  readonly port: string;
  readonly user: string;
  /** The hosts in between, as `ssh -J` takes them. */
  readonly jump: string | undefined;
  /** The program that makes the connection in place of ssh. */
  readonly proxy: string | undefined;
  /** The socket of a connection that is shared. */
  readonly shared: string | undefined;
}

/** Reads what `ssh -G` prints. */
export function readConfig(text: string): SshConfig | undefined {
  const value = (name: string): string | undefined => {
    const found = new RegExp(`^${name} (.*)$`, "m").exec(text)?.[1];
    return found === "none" ? undefined : found;
  };
  const [hostname, port, user] = [value("hostname"), value("port"), value("user")];
  if (hostname === undefined || port === undefined || user === undefined) return undefined;
  const [jump, proxy, shared] = [value("proxyjump"), value("proxycommand"), value("controlpath")];
  return { hostname, port, user, jump, proxy, shared };
}

/** What `ssh -v` has said. */
export interface SshAnswer {
  readonly code: number | undefined;
  readonly stderr: string;
  readonly late: boolean;
  at(pattern: RegExp): number | undefined;
}

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
  const [, address, port] = /debug1: Connecting to \S+ \[([^\]]*)\] port (\d+)/.exec(stderr) ?? [];
  switch (step) {
    case "name":
      return address ?? "left to the ProxyCommand";
    case "port": {
      const software = lastOf(/remote software version (.*)/g, stderr) ?? "SSH";
      return port === undefined ? software : `port ${port}: ${software}`;
    }
    case "host key":
      return lastOf(/debug1: Server host key: (.*)/g, stderr) ?? "known";
    case "login": {
      const method = lastOf(/^Authenticated to .* using "([^"]*)"/gm, stderr);
      const key = lastOf(/debug1: Server accepts key: (\S+)/g, stderr);
      return `as ${user} by ${method === "publickey" && key !== undefined ? `the key ${key}` : method}`;
    }
  }
}

/** The last that was said of this form: what was said before is of hosts in between. */
function lastOf(pattern: RegExp, text: string): string | undefined {
  return [...text.matchAll(pattern)].at(-1)?.[1];
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

/** Why ssh has gone no further, by its own words. */
export function whyNot({ stderr, code }: Pick<SshAnswer, "stderr" | "code">, given: Facts): Finding {
  const words = ownWords(stderr);
  const facts = { ...given, ...factsOf(stderr) };
  const { kind, state } = classifySsh(stderr);
  const says = (trouble: Trouble, found: string = state): Finding => failed(trouble, found, { words, facts });
  switch (kind) {
    case "host":
      return says("no-address");
    case "hostkey":
      return /REMOTE HOST IDENTIFICATION HAS CHANGED/.test(stderr)
        ? says("key-changed", "the host shows another key than the one that is known")
        : says("key-unknown", "the host's key is not known yet");
    case "auth":
      return loginRefused(stderr, says);
    case "timeout":
      return says("port-silent");
    case "refused":
      if (/No route to host|Network is unreachable|Host is down/.test(stderr)) return says("no-route");
      return /Connection refused/.test(stderr)
        ? says("port-closed", "nothing listens there")
        : says("dropped");
    default:
      if (code === 127) return says("no-program", "there is no ssh");
      return says(
        /Bad configuration|Can't open user config|command-line|terminating, \d+ bad/i.test(stderr)
          ? "config"
          : "exit",
        `ssh ended with code ${code}`,
      );
  }
}

function loginRefused(stderr: string, says: (trouble: Trouble, found: string) => Finding): Finding {
  if (/UNPROTECTED PRIVATE KEY FILE/.test(stderr)) {
    return says("key-open", "others may read the private key, so that ssh does not use it");
  }
  if (/Too many authentication failures/.test(stderr)) {
    return says("too-many-keys", "ssh has offered more keys than the server looks at");
  }
  if (/with partial success/.test(stderr)) return says("more-factors", "the server wants more than a key");
  // Without a passphrase, a key that is accepted leads in. ssh does not say so when it may not ask for one.
  if (/Server accepts key: |incorrect passphrase supplied|agent refused operation/.test(stderr)) {
    return says(
      "key-locked",
      "the server knows the key, but it has a passphrase, and nobody is there to type it",
    );
  }
  const offered = stderr.match(/debug1: Offering public key: /g)?.length ?? 0;
  if (offered === 0) return says("no-key", "ssh has no key to offer");
  return says(
    "login-refused",
    `the server does not accept ${offered === 1 ? "the key" : `any of ${offered} keys`}`,
  );
}

/** What advice has to name, from ssh's words. */
function factsOf(stderr: string): Facts {
  const key = lastOf(/debug1: Offering public key: (\S+)/g, stderr) ??
    lastOf(/Load key "([^"]*)": incorrect passphrase/g, stderr) ??
    lastOf(/Permissions \d+ for '([^']*)' are too open/g, stderr) ??
    lastOf(/debug1: identity file (\S+) type [0-9]/g, stderr);
  const remove = /^\s*(ssh-keygen -f .*)$/m.exec(stderr)?.[1];
  const methods = lastOf(/debug1: Authentications that can continue: (\S+)/g, stderr);
  const fingerprint = lastOf(/debug1: Server host key: (.*)/g, stderr);
  return Object.fromEntries(
    Object.entries({ key, remove, methods, fingerprint }).filter(([, value]) => value !== undefined),
  ) as Facts;
}

/** ssh's own words without what `-v` adds to them, and without the frame of at-signs. */
export function ownWords(stderr: string): string {
  return stderr.replaceAll("\r", "").split("\n").filter((line) =>
    line.trim() !== "" &&
    !/^(debug\d: |OpenSSH_|Transferred: |Bytes per second: |Authenticated to )/.test(line) &&
    !/^@+$/.test(line)
  ).map((line) => line.replace(/^@\s+(.*?)\s+@$/, "$1")).join("\n");
}
