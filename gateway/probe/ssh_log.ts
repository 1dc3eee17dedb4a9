/** What ssh says with `-v`, told apart from what a server says on the same stream. Pure. */

/** What `ssh -v` has said. */
export interface SshAnswer {
  readonly code: number | undefined;
  readonly stderr: string;
  readonly late: boolean;
  at(pattern: RegExp): number | undefined;
}

/** A server's banner may come from here on: text of its own, in which it may write whatever ssh would. */
const BANNERS_FROM = /^debug1: (SSH2_MSG_(EXT_INFO|SERVICE_ACCEPT) received|kex_input_ext_info)/m;

/** What ssh says when a program makes the connection in its place, such as the ssh to a host in between. */
const PROXIED = /^debug1: Executing proxy command/m;

/** The key follows; what is said of it comes behind. */
export const KEY_SHOWN = "debug1: Server host key: ";

const KEY = /^debug1: Server host key: (.*)$/gm;

/** What no server has written, as a banner is the first text that it may write. */
export function beforeBanners(stderr: string): string {
  const from = stderr.search(BANNERS_FROM);
  return from < 0 ? stderr : stderr.slice(0, from);
}

/**
 * Whether the host has shown the right key, so that neither name nor port nor key can be wrong any more. With hosts in
 * between, whose ssh says the same before, that of the last connection counts.
 */
export function isBehindKey(stderr: string): boolean {
  const own = beforeBanners(stderr);
  const text = PROXIED.test(own) ? stderr.slice(stderr.lastIndexOf("debug1: Remote protocol version")) : own;
  return text.includes("debug1: SSH2_MSG_NEWKEYS sent");
}

/** The key that the host has shown, where no other text can pass for it. */
export function shownKey(stderr: string): string | undefined {
  const own = beforeBanners(stderr);
  const all = [...(PROXIED.test(own) ? stderr : own).matchAll(KEY)].map(([, key]) => key!);
  // It is looked at right after it is shown: what failed by it is the last. Otherwise hosts in between have some, too.
  if (!isBehindKey(stderr)) return all.at(-1);
  return new Set(all).size === 1 ? all[0] : undefined;
}

/** The last that was said of this form: what was said before is of hosts in between. */
export function lastOf(pattern: RegExp, text: string): string | undefined {
  return [...text.matchAll(pattern)].at(-1)?.[1];
}
