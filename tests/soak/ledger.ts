/** The books of a soak: what became of every item, by the way in which its channel ended, and what must not have happened. */

import type { Tally } from "./items.ts";
import type { LaneReport } from "./far.ts";

/** Whether all that was sent has to have arrived, or some of it. */
type Share = "all" | "some";

interface Rule {
  /** Of what was sent from here. */
  readonly there: Share;
  /** Of what was sent from there. */
  readonly here: Share;
  /** Whether the far side lives to tell what it has sent and received. */
  readonly told: boolean;
  /** How the far side may say that it was, besides reading to the end. */
  readonly how?: RegExp;
}

/** How a channel ended. */
export type Ending =
  | "read to the end"
  | "closed here"
  | "closed there"
  | "failed there"
  | "killed"
  | "execution killed"
  | "gateway killed"
  | "gateway ended";

/** What the documentation of channels says about each end. */
const RULES: Readonly<Record<Ending, Rule>> = {
  /** Both sides have ended their directions. */
  "read to the end": { there: "all", here: "all", told: true },
  /** Closed here, while the far side was sending: what was sent from here still arrives. */
  "closed here": {
    there: "all",
    here: "some",
    told: true,
    how: /^ChannelClosedError: .*closed by the far side/,
  },
  /** Closed there, while this side was sending. */
  "closed there": { there: "some", here: "all", told: true },
  /** The same, with an error. */
  "failed there": { there: "some", here: "all", told: true },
  /** Killed here: a kill overtakes what is under way. */
  "killed": { there: "some", here: "some", told: true, how: /^(RemoteError: Killed|ChannelClosedError): / },
  /** With its execution, which was killed. */
  "execution killed": { there: "some", here: "some", told: false },
  /** With its gateway, whose process was killed. */
  "gateway killed": { there: "some", here: "some", told: false },
  /** With its gateway, which was asked to end amid all that. */
  "gateway ended": { there: "some", here: "some", told: false },
};

/** What is known of the items of all channels that ended alike. */
export interface Account {
  channels: number;
  /** Sent from here. */
  sent: number;
  /** Of these, known to have arrived. */
  arrived: number;
  /** Sent from there, as far as that was told; otherwise as many as came. */
  sentThere: number;
  /** Of these, received here. */
  got: number;
}

/** What has been wrong, most of it told by the first few. */
const MAX_WRONGS = 30;

/** The books. */
export class Ledger {
  /** By the way of the end. */
  readonly accounts: Map<Ending, Account> = new Map();
  /** What else was done, and how often. */
  readonly done: Map<string, number> = new Map();
  /** What must not have happened. */
  readonly wrongs: string[] = [];
  #wrongCount = 0;

  /** How much was wrong. */
  get wrongCount(): number {
    return this.#wrongCount;
  }

  /** Counts something that went as it should. */
  count(what: string, times = 1): void {
    this.done.set(what, (this.done.get(what) ?? 0) + times);
  }

  /** Takes note of what must not happen. */
  wrong(what: string): void {
    this.#wrongCount++;
    if (this.wrongs.length < MAX_WRONGS) this.wrongs.push(what);
  }

  /** Closes the books of a channel. */
  ended(ending: Ending, where: string, tally: Tally, report?: LaneReport): void {
    const rule: Rule = RULES[ending];
    const { sent, got, confirmed } = tally;
    if ((report !== undefined) !== rule.told) {
      this.wrong(`${where}: ${ending}, and the far side ${rule.told ? "has not told" : "still tells"} of it`);
      return;
    }
    const [, sentThere, gotThere, how] = report ?? [0, got, confirmed, ""];
    if (how !== "" && !(rule.how?.test(how))) {
      this.wrong(`${where}: ${ending}, and the far side says: ${how}`);
    }
    const check = (share: Share, sent: number, got: number, whither: string): void => {
      if (share === "all" ? got !== sent : got > sent) {
        this.wrong(`${where}: ${ending}, ${got} of ${sent} items ${whither}`);
      }
    };
    check(rule.there, sent, gotThere, "arrived there");
    check(rule.here, sentThere, got, "arrived here");
    if (confirmed > gotThere) this.wrong(`${where}: ${confirmed} items were confirmed, ${gotThere} arrived`);
    const account = this.accounts.get(ending) ??
      { channels: 0, sent: 0, arrived: 0, sentThere: 0, got: 0 };
    this.accounts.set(ending, account);
    account.channels++;
    account.sent += sent;
    account.arrived += gotThere;
    account.sentThere += sentThere;
    account.got += got;
  }
}
