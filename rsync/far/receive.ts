/** The target's side of copies. It is shipped as text, runs as one execution, and trusts nothing that comes. */

import type { Channel } from "../../channel/channel.ts";
import { isPlainEnd, ProtocolError, toError } from "../../channel/errors.ts";
import { Trouble, WantKind } from "../common/messages.ts";
import type { Setup, TroubleKind } from "../common/messages.ts";
import { ByteWriter } from "../common/wire.ts";
import { Incoming } from "./incoming.ts";
import type { Parts } from "./parts.ts";
import { Removal } from "./removal.ts";
import { Report } from "./report.ts";
import { Temporary } from "./temporary.ts";
import { Tree } from "./tree.ts";
import { WantedFiles } from "./wanted.ts";

/**
 * Makes one copy after the other, until no more come, or one fails: what is left of that might be taken for the next.
 *
 * @param channel brings setups, each with its list; takes the news
 */
export async function receiveAll(channel: Channel): Promise<void> {
  channel.reconfigure({});
  while (true) {
    let setup: unknown;
    try {
      setup = await channel.receive();
    } catch (error) {
      if (isPlainEnd(error)) return;
      throw error;
    }
    if (!await receive(channel, setup as Setup)) return;
  }
}

/** Makes a folder what the other side says. Says whether all went well, so that nothing more of it comes. */
async function receive(channel: Channel, setup: Setup): Promise<boolean> {
  const { data, dest } = setup;
  if (typeof dest !== "string" || !dest.startsWith("/")) {
    throw new ProtocolError("Cannot copy: the target is no absolute path");
  }
  data.reconfigure({});
  const report = new Report(channel);
  const missing = missingPermission(setup);
  if (missing !== undefined) {
    report.fatal("", missing);
    await report.flush();
    return false;
  }
  const temporary = new Temporary();
  const wanted = new WantedFiles();
  const removal = new Removal(setup, report);
  const parts: Parts = { setup, wanted, removal, report, temporary };
  const tree = new Tree(parts);
  const incoming = new Incoming(parts).run();
  let refused: unknown;
  // Whoever waits for a file or an answer then waits in vain.
  const giveUp = (error: unknown): void => {
    wanted.fail(error);
    removal.fail(error);
  };
  incoming.then(() => giveUp(new ProtocolError("Cannot go on: no more data come")), (error) => {
    refused = error;
    giveUp(error);
    void data.close(toError(error));
  });
  try {
    while (!tree.listed) await tree.take(await channel.receive());
    while (true) {
      const again = await wanted.nextAgain();
      if (again === undefined) break;
      await data.send(new ByteWriter().byte(WantKind.REDO).number(again.index).take());
    }
    await data.closeWrite();
    await incoming;
    tree.finish();
    report.end();
    await report.flush();
    return true;
  } catch (error) {
    const reason = refused ?? error;
    // What is under way is removed before this ends.
    await data.close(toError(reason));
    await incoming.catch(() => {});
    report.fatal(reason);
  }
  await report.flush();
  return false;
}

/** What this process may not do that it must. A single file is written beside itself, as all files are. */
function missingPermission({ dest, single }: Setup): TroubleKind | undefined {
  const path = single ? dest.slice(0, dest.lastIndexOf("/")) || "/" : dest;
  const may = (name: "read" | "write"): boolean =>
    Deno.permissions.querySync({ name, path }).state === "granted";
  if (may("read")) return may("write") ? undefined : Trouble.WRITE;
  return may("write") ? Trouble.READ : Trouble.READ_WRITE;
}
