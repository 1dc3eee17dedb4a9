/** Why ssh goes no further, by what it says with `-v`. Pure. */

import { classifySsh, ownLines } from "../ssh/failures.ts";
import { failed } from "./finding.ts";
import type { Facts, Finding, Trouble } from "./finding.ts";
import { beforeBanners, isBehindKey, KEY_SHOWN, lastOf, shownKey } from "./ssh_log.ts";
import type { SshAnswer } from "./ssh_log.ts";

/** Why ssh has gone no further, by its own words. */
export function whyNot({ stderr, code }: Pick<SshAnswer, "stderr" | "code">, given: Facts): Finding {
  const words = ownWords(stderr);
  const facts = { ...given, ...factsOf(stderr) };
  const { kind, state } = classifySsh(stderr);
  const says = (trouble: Trouble, found: string = state): Finding => failed(trouble, found, { words, facts });
  // Such words are a server's, once it has shown its key.
  const passed = (kind === "host" || kind === "hostkey") && isBehindKey(stderr);
  switch (passed ? "exit" : kind) {
    case "host":
      return says("no-address");
    case "hostkey":
      return /REMOTE HOST IDENTIFICATION HAS CHANGED/.test(stderr.slice(stderr.lastIndexOf(KEY_SHOWN)))
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
  const all = [...stderr.matchAll(OFFERED_KEY)].map(([, key]) => key!);
  const offered = all.filter(isOwnKey(stderr)).length || all.length;
  if (offered === 0) return says("no-key", "ssh has no key to offer");
  return says(
    "login-refused",
    `the server does not accept ${offered === 1 ? "the key" : `any of ${offered} keys`}`,
  );
}

/** What advice has to name, from ssh's words. */
function factsOf(stderr: string): Facts {
  const own = beforeBanners(stderr);
  const isOwn = isOwnKey(stderr);
  const named = [OFFERED_KEY, LOCKED_KEY, OPEN_KEY].map((form) => lastOf(form, stderr));
  const key = named.find((name) => name !== undefined && isOwn(name)) ??
    lastOf(/^debug1: identity file (.*) type [0-9]/gm, own);
  const methods = lastOf(/^debug1: Authentications that can continue: (\S+)/gm, stderr);
  const fingerprint = shownKey(stderr);
  return Object.fromEntries(
    Object.entries({ key, methods, fingerprint }).filter(([, value]) => value !== undefined),
  ) as Facts;
}

/** Tells the keys that ssh has from others that a banner names. */
function isOwnKey(stderr: string): (key: string) => boolean {
  const own = beforeBanners(stderr);
  return (key) =>
    [`debug1: Will attempt key: ${key} `, `debug1: identity file ${key} type `].some((line) =>
      own.includes(line)
    );
}

const OFFERED_KEY = /^debug1: Offering public key: (\S+)/gm;
const LOCKED_KEY = /^Load key "([^"]*)": incorrect passphrase/gm;
const OPEN_KEY = /^Permissions \d+ for '([^']*)' are too open/gm;

/** ssh's own words without what `-v` adds to them, and without the frame of at-signs. */
export function ownWords(stderr: string): string {
  return ownLines(stderr).filter((line) => !/^@+$/.test(line))
    .map((line) => line.replace(/^@\s+(.*?)\s+@$/, "$1")).join("\n");
}
