/** One test for many behaviours of a kind: each is a step, and gateways go from one to the next. */

import type { Channel, Gateway } from "../../mod.ts";
import { limited } from "../helpers/wait.ts";

/** Whether each behaviour is a test of its own all the same: to run one alone by its name, and to list them. */
export const APART: boolean = Deno.env.get("EXECNET_TESTS_APART") === "1";

/** How long what a step has left running over there may take to end before its gateway is given up. */
const CLEAN_MS = 300;
const POLL_MS = 5;

/** A gateway that does not even answer is given up at once. */
const ANSWER_MS = 1_000;

/** A behaviour that leaves a gateway as it was. */
export interface Behaviour<S> {
  readonly name: string;
  /** Milliseconds until it fails. */
  readonly limit: number;
  readonly fn: (setting: S) => Promise<void>;
}

/** A gateway that is lent, and the channels that its borrower has made. */
interface Loan {
  readonly gateway: Gateway;
  channels: Channel[];
}

/** Gateways that are lent. What a borrower has not left as it was is not lent again. */
export class Lender {
  readonly #start: () => Promise<Gateway>;
  readonly #idle: Loan[] = [];
  #lent: Loan[] = [];
  readonly #ending: Promise<void>[] = [];

  /** Starts gateways by `start` when there is none to lend; whoever gave that ends those that are left. */
  constructor(start: () => Promise<Gateway>) {
    this.#start = start;
  }

  /** Lends a gateway until the next {@linkcode Lender.takeBack}. */
  readonly lend = async (): Promise<Gateway> => {
    const loan = this.#idle.pop() ?? noted(await this.#start());
    this.#lent.push(loan);
    return loan.gateway;
  };

  /** Takes back all that was lent, closes its channels, and ends what is not as it was then. */
  async takeBack(): Promise<void> {
    const lent = this.#lent;
    this.#lent = [];
    await Promise.all(lent.map(async (loan) => {
      const { gateway, channels } = loan;
      loan.channels = [];
      await Promise.allSettled(channels.map((channel) => channel.close()));
      if (await isClean(gateway)) this.#idle.push(loan);
      else this.#ending.push(gateway[Symbol.asyncDispose]());
    }));
  }

  /** Resolves when those have ended that were given up. */
  async ended(): Promise<void> {
    await Promise.all(this.#ending);
  }
}

/** Takes note of the channels that are made on a gateway. */
function noted(gateway: Gateway): Loan {
  const loan: Loan = { gateway, channels: [] };
  for (const name of ["remoteExec", "newChannel"] as const) {
    const make = gateway[name] as (...given: unknown[]) => Channel;
    const noting = (...given: unknown[]): Channel => {
      const channel = make.apply(gateway, given);
      loan.channels.push(channel);
      return channel;
    };
    Object.assign(gateway, { [name]: noting });
  }
  return loan;
}

/** Whether nothing runs on a gateway, and nothing is open. */
async function isClean(gateway: Gateway): Promise<boolean> {
  try {
    for (const end = performance.now() + CLEAN_MS; performance.now() < end;) {
      const status = await gateway.remoteStatus({ timeout: ANSWER_MS });
      const { numExecuting, numQueued, numChannels, numRunaway } = status;
      if (numExecuting + numQueued + numChannels + numRunaway === 0) return true;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  } catch {
    // It has ended, or is busy.
  }
  return false;
}

/** Runs behaviours one after the other; one that fails does not keep the others from being run. */
export async function runSteps<S>(
  test: Deno.TestContext,
  behaviours: readonly Behaviour<S>[],
  setting: S,
  lender: Lender,
): Promise<void> {
  for (const { name, limit, fn } of behaviours) {
    await test.step({
      name,
      // What is open between steps is the gateways'; the test as a whole leaves nothing.
      sanitizeOps: false,
      sanitizeResources: false,
      fn: () => limited(name, fn(setting), limit),
    });
    await lender.takeBack();
  }
  await lender.ended();
}
