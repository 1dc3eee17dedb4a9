/** The steps at which faults strike: how one gets there, and what is waited for then. */

import { RSync } from "../../mod.ts";
import type { ExecOptions, Gateway, GatewayExit } from "../../mod.ts";
import { until } from "../helpers/wait.ts";
import { describeTree } from "../helpers/tree.ts";
import { wayOf } from "./axes.ts";
import type { Cell, Step } from "./axes.ts";
import { checkPiece, piece, PIECES_SOURCE } from "../helpers/pieces.ts";
import { EXECUTION_TIMEOUT_MS } from "./stage.ts";
import type { Stage } from "./stage.ts";

/** What is waited for at a step. */
export interface Waits {
  /** Promises of what goes right; called when the fault has struck. Each resolves with how it went, or rejects. */
  begin(): Record<string, Promise<string>>;
  /** Lets it come to its end, if it can. */
  goOn(): Promise<void>;
}

/** It went as if nothing had been. */
export const RIGHT = "goes on";

/** More than windows and all buffers on the way hold together. */
const SOURCE_BYTES = 12 << 20;
const PIECES = 128;
const FILES = 4;
const FILE_BYTES = 4 << 20;
/** When the copy is in the middle. */
const COPIED_BYTES = 3 << 20;
const ARRIVAL_MS = 15_000;

const nothing = (): Promise<void> => Promise.resolve();

/** Executions that stand still are ended by their own limit. */
function execOptions({ cell }: Stage): ExecOptions {
  return cell.side === "execution" && cell.fault === "stop" ? { timeout: EXECUTION_TIMEOUT_MS } : {};
}

async function right(promise: Promise<unknown>, value: unknown): Promise<string> {
  const got = await promise;
  if (got !== value) throw new RangeError(`Got ${got} in place of ${value}`);
  return RIGHT;
}

/** Asks for an answer, by an execution. */
function answers(gateway: Gateway, options: ExecOptions): Promise<string> {
  const channel = gateway.remoteExec<number, number>(
    "await channel.send((await channel.receive()) as number + 1)",
    options,
  );
  const asked = channel.send(41);
  return right(asked.then(() => channel.receive()), 42);
}

/** Faults that a start must find when it begins, and not at a gate. */
function strikesFirst({ fault, side, kind }: Cell): boolean {
  return fault === "disk" || side === "near" && fault === "descriptors" || wayOf(kind) === "inside";
}

async function connecting(stage: Stage): Promise<Waits> {
  const answered = async (start: Promise<Gateway>): Promise<string> => await answers(await start, {});
  if (strikesFirst(stage.cell)) {
    return { begin: () => ({ start: answered(stage.open()) }), goOn: nothing };
  }
  await stage.makeGate();
  const start = answered(stage.open());
  start.catch(() => {});
  stage.agent = await stage.gate!.arrived();
  return { begin: () => ({ start }), goOn: () => stage.gate!.open() };
}

async function idle(stage: Stage): Promise<Waits> {
  const gateway = await stage.open();
  return {
    begin: () => ({
      execution: answers(gateway, execOptions(stage)),
      status: gateway.remoteStatus().then(() => RIGHT),
    }),
    goOn: nothing,
  };
}

async function source(stage: Stage): Promise<Waits> {
  const gateway = await stage.open();
  stage.hold();
  const text = `/* ${
    "x".repeat(SOURCE_BYTES)
  } */ await channel.send((await channel.receive()) as number + 1);`;
  const channel = gateway.remoteExec<number, number>(text, execOptions(stage));
  const answer = right(channel.receive(), 42);
  answer.catch(() => {});
  // The first of it is on its way.
  await new Promise((resolve) => setTimeout(resolve));
  return { begin: () => ({ answer }), goOn: () => channel.send(41).catch(() => {}) };
}

async function computing(stage: Stage): Promise<Waits> {
  const gateway = await stage.open();
  // To take a file away takes no descriptor.
  const flag = `${stage.folder}/flag`;
  await Deno.writeTextFile(flag, "");
  const channel = gateway.remoteExec(
    `await channel.send("up");
    try { while (true) Deno.statSync(${JSON.stringify(flag)}); } catch {}
    await channel.send("done");`,
    execOptions(stage),
  );
  await channel.receive();
  const done = right(channel.receive(), "done");
  done.catch(() => {});
  return { begin: () => ({ done }), goOn: () => Deno.remove(flag) };
}

/** To the far side, which reads nothing yet. */
async function goingIn(stage: Stage): Promise<Waits> {
  const gateway = await stage.open();
  const channel = gateway.remoteExec(
    `${PIECES_SOURCE}
    const control = await channel.receive() as typeof channel;
    await control.send("up");
    await control.receive();
    let count = 0;
    for await (const one of channel) checkPiece(one, count++);
    await control.send(count);`,
    execOptions(stage),
  );
  const control = gateway.newChannel();
  await channel.send(control);
  await control.receive();
  const sent = (async (): Promise<string> => {
    for (let i = 0; i < PIECES; i++) await channel.send(piece(i));
    await channel.closeWrite();
    return RIGHT;
  })();
  sent.catch(() => {});
  await until("the window is full", async () => {
    const { channels } = await gateway.remoteStatus();
    return channels.some(({ id, waiting }) => id === channel.id && waiting > 0);
  }, ARRIVAL_MS);
  const received = right(control.receive(), PIECES);
  received.catch(() => {});
  return { begin: () => ({ sent, received }), goOn: () => control.send("go").catch(() => {}) };
}

/** From the far side, while nobody reads here. */
async function goingOut(stage: Stage): Promise<Waits> {
  const gateway = await stage.open();
  const channel = gateway.remoteExec(
    `${PIECES_SOURCE} for (let i = 0; i < ${PIECES}; i++) await channel.send(piece(i));`,
    execOptions(stage),
  );
  let before = 0;
  await until("the window is full", async () => {
    const { channels } = await gateway.remoteStatus();
    const unread = channels.find(({ id }) => id === channel.id)?.unread ?? 0;
    const isFull = unread > 0 && unread === before;
    before = unread;
    return isFull;
  }, ARRIVAL_MS);
  const read = async (): Promise<string> => {
    let count = 0;
    for await (const one of channel) checkPiece(one, count++);
    return await right(Promise.resolve(count), PIECES);
  };
  return { begin: () => ({ received: read() }), goOn: nothing };
}

async function copy(stage: Stage): Promise<Waits> {
  const { folder, place, cell } = stage;
  const from = `${folder}/source`;
  Deno.mkdirSync(`${from}/sub`, { recursive: true });
  for (let i = 0; i < FILES; i++) {
    const bytes = new Uint8Array(FILE_BYTES);
    for (let at = 0; at < bytes.length; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536));
    Deno.writeFileSync(`${from}/${i % 2 === 0 ? "" : "sub/"}large${i}`, bytes);
    Deno.writeTextFileSync(`${from}/sub/small${i}`, `${i}`);
  }
  // Behind that, which takes a while in which this side gives no sign of life.
  const gateway = await stage.open();
  const dest = cell.fault === "disk" && cell.side === "far" ? `${place.disk}/copy` : `${folder}/copy`;
  const amid = Promise.withResolvers<void>();
  let reached = false;
  const rsync = new RSync(from, {
    onProgress: ({ bytes }) => {
      if (bytes < COPIED_BYTES) return;
      if (!reached) stage.hold();
      reached = true;
      amid.resolve();
    },
  });
  rsync.addTarget(gateway, dest);
  const late = cell.side === "execution" && cell.fault === "stop";
  const copied = (async (): Promise<string> => {
    const options = late ? { signal: AbortSignal.timeout(EXECUTION_TIMEOUT_MS) } : {};
    const [result] = await rsync.send(options);
    if (result!.errors.length > 0) throw result!.errors[0];
    // To look at it takes descriptors.
    await stage.limiter?.lift();
    const [was, is] = [await describeTree(from), await describeTree(dest)];
    if (was.join("\n") !== is.join("\n")) throw new RangeError("The copy is not what was copied");
    return RIGHT;
  })();
  copied.catch(amid.reject);
  await amid.promise;
  return { begin: () => ({ copied }), goOn: nothing };
}

async function terminate(stage: Stage): Promise<Waits> {
  const gateway = await stage.open();
  const channel = gateway.remoteExec(`await channel.send("up"); await new Promise(() => {});`);
  await channel.receive();
  stage.hold();
  const waiting = channel.receive().then(() => "a value", ({ name }: Error) => name);
  const ended = (async (): Promise<string> => {
    const exits = await stage.group.terminate({ timeout: stage.terminateTimeout });
    const exit: GatewayExit | undefined = exits.find(({ id }) => id === gateway.id);
    if (exit === undefined || exit.reason !== "requested") throw new RangeError(`Ended as ${exit?.reason}`);
    // The channel of an execution that runs ends in order, or with its gateway.
    const name = await waiting;
    if (name !== "EOFError" && name !== "GatewayClosedError") {
      throw new RangeError(`Its channel gave ${name}`);
    }
    return exit.forced ? "forced" : RIGHT;
  })();
  ended.catch(() => {});
  await new Promise((resolve) => setTimeout(resolve));
  return { begin: () => ({ ended }), goOn: nothing };
}

/** How one gets to each step. Resolves there. */
export const ARRIVE: Readonly<Record<Step, (stage: Stage) => Promise<Waits>>> = {
  connecting,
  idle,
  source,
  computing,
  in: goingIn,
  out: goingOut,
  copy,
  terminate,
};
