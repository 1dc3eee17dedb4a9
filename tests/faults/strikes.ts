/** The faults: how each strikes, and how it is taken back. */

import { modelOf } from "./axes.ts";
import type { Fault } from "./axes.ts";
import { Limiter } from "./limiter.ts";
import { RIGHT } from "./steps.ts";
import { NAP_MS } from "./stage.ts";
import type { Stage } from "./stage.ts";

/** A fault that has struck. */
export interface Struck {
  /** What the fault itself has set off, and must end too. */
  readonly waits?: Record<string, Promise<string>>;
  /** Takes it back in time, where that belongs to the fault. Resolves before things are let go on. */
  readonly lift?: () => Promise<void>;
}

const HOARD = "const hoard = []; while (true) hoard.push(new Array(10_000).fill({}));";
const PRINTED_BYTES = 1 << 20;
const PRINT = `const line = new TextEncoder().encode("x".repeat(1023) + "\\n");
  for (let at = 0; at < ${PRINTED_BYTES}; at += line.length) Deno.stderr.writeSync(line);
  await channel.send("printed");`;
const CLOSE = `Deno.stderr.close(); Deno.stdout.close();
  console.error("nobody"); console.log("nobody");
  await channel.send("printed");`;
const DAY_SECONDS = 86_400;

function signal(stage: Stage, name: Deno.Signal): void {
  for (const pid of stage.cell.side === "near" ? [Deno.pid] : stage.targets()) Deno.kill(pid, name);
}

function executes(stage: Stage, source: string): Promise<string> {
  const channel = stage.gateway.remoteExec(source);
  return channel.receive().then(() => RIGHT);
}

/** Whether the far side can execute something at this step. */
function canExecute({ cell: { step, kind } }: Stage): boolean {
  return step !== "connecting" && step !== "terminate" && !(step === "computing" && modelOf(kind) === "main");
}

function fill(disk: string): void {
  const full = (write: () => void): void => {
    try {
      while (true) write();
    } catch (error) {
      if ((error as { code?: string }).code !== "ENOSPC") throw error;
    }
  };
  let bytes = new Uint8Array(1 << 20);
  using file = Deno.openSync(`${disk}/filler`, { create: true, append: true });
  full(() => void file.writeSync(bytes));
  bytes = new Uint8Array(1);
  full(() => void file.writeSync(bytes));
  let number = 0;
  full(() => Deno.openSync(`${disk}/filler${number++}`, { create: true, write: true }).close());
}

function stopped(stage: Stage): Promise<Struck> {
  // This program stands still here, until somebody continues it. Held processes must be able to notice that.
  if (stage.cell.side === "near") stage.release();
  signal(stage, "SIGSTOP");
  return Promise.resolve({});
}

/** How each strikes. */
export const STRIKE: Readonly<Record<Fault, (stage: Stage) => Promise<Struck>>> = {
  kill: (stage) => {
    signal(stage, "SIGKILL");
    return Promise.resolve({});
  },
  stop: stopped,
  nap: async (stage) => {
    const struck = await stopped(stage);
    if (stage.cell.side === "near") return struck;
    return {
      lift: async () => {
        await new Promise((resolve) => setTimeout(resolve, NAP_MS));
        signal(stage, "SIGCONT");
      },
    };
  },
  memory: (stage) => {
    if (stage.cell.side === "near") {
      const hoard: unknown[] = [];
      while (true) hoard.push(new Array(10_000).fill({}));
    }
    const hoarding = executes(stage, HOARD);
    hoarding.catch(() => {});
    return Promise.resolve({ waits: { hoarding } });
  },
  disk: (stage) => {
    fill(stage.place.disk!);
    return Promise.resolve({});
  },
  stderr: (stage) => {
    if (stage.cell.side === "near") Deno.stderr.close();
    if (!canExecute(stage)) return Promise.resolve({});
    const printing = executes(stage, stage.cell.side === "near" ? PRINT : CLOSE);
    printing.catch(() => {});
    return Promise.resolve({ waits: { printing }, lift: () => stage.outlastBeats() });
  },
  reader: async (stage) => {
    await stage.gateway.stderr!.cancel();
    if (!canExecute(stage)) return {};
    const printing = executes(stage, PRINT);
    printing.catch(() => {});
    return { waits: { printing }, lift: () => stage.outlastBeats() };
  },
  descriptors: async (stage) => {
    stage.limiter = new Limiter();
    const { side, step } = stage.cell;
    for (const pid of side === "near" ? [Deno.pid] : stage.targets()) {
      await stage.limiter.exhaust(pid, side === "far" && step === "connecting");
    }
    return {};
  },
  clock: (stage) => {
    const { file } = stage.place.clock!;
    Deno.writeTextFileSync(file, `+${DAY_SECONDS}`);
    return Promise.resolve({
      lift: async () => {
        await new Promise((resolve) => setTimeout(resolve, NAP_MS));
        Deno.writeTextFileSync(file, `-${DAY_SECONDS}`);
      },
    });
  },
};
