/** Executions that run a program, in the agent's own isolate: no code of its users, and no hop to a Worker. */

import type { Channel } from "../../channel/channel.ts";
import { EMPTY, FrameType, makeFrame } from "../../channel/frame.ts";
import { Session } from "../../channel/session.ts";
import type { Permissions } from "../../xspec/mod.ts";
import type { ExecFrameOptions, LinkJob, ProgramJob } from "../process/job.ts";
import type { Door } from "./door.ts";
import { runLink, runProgram } from "./program.ts";
import type { Backend, Execution, ExecutionEvents } from "./router.ts";

/** Serves programs itself, and leaves all else to another backend. */
export class RelayBackend implements Backend {
  readonly #name: string;
  readonly #permissions: Permissions;
  readonly #inner: Backend;
  readonly #door: Door | undefined;

  /**
   * `permissions` are those of the gateway's spec; the agent itself may hold more. `door` takes the links
   * of programs.
   */
  constructor(name: string, permissions: Permissions, inner: Backend, door?: Door) {
    this.#name = name;
    this.#permissions = permissions;
    this.#inner = inner;
    this.#door = door;
  }

  get runaway(): number {
    return this.#inner.runaway;
  }

  warm(): void {
    this.#inner.warm();
  }

  close(): Promise<unknown> | undefined {
    return this.#inner.close();
  }

  start(events: ExecutionEvents, options: unknown): Execution {
    if ((options as ExecFrameOptions | null)?.program !== true) return this.#inner.start(events, options);
    return relay(events, this.#name, this.#permissions, this.#door);
  }
}

/** One execution, whose session is in this isolate. */
function relay(
  events: ExecutionEvents,
  name: string,
  permissions: Permissions,
  door: Door | undefined,
): Execution {
  // It makes no channels.
  const firstId = 2;
  let push: (bytes: Uint8Array) => void;
  const session = new Session({
    read: () => Promise.resolve(null),
    write(bytes, whole): Promise<void> {
      events.bytes(whole ? new Uint8Array((bytes.buffer as ArrayBuffer).transfer()) : bytes.slice());
      return Promise.resolve();
    },
    close: () => {},
    abort: () => {},
    receiveMessages: (take) => push = take,
    writeBudget: Infinity,
  }, {
    name,
    firstId,
    sharedFarSide: true,
    handlers: {
      exec: async (end): Promise<void> => {
        try {
          const channel = session.facade(end);
          const job = await channel.receive() as unknown as ProgramJob | LinkJob;
          if (job.kind === "link") await runLink(job, channel, door);
          else await run(job, channel, permissions, door);
          end.close();
        } catch (error) {
          end.close(session.errorPayload(error));
        }
        await session.flushed();
        session.control(makeFrame(FrameType.DONE, end.id));
      },
    },
  });
  session.start(EMPTY);
  const end = (): void => session.fail(undefined);
  return { firstId, send: (frames) => push(frames), kill: end, release: end };
}

async function run(
  job: ProgramJob,
  channel: Channel,
  may: Permissions,
  door: Door | undefined,
): Promise<void> {
  try {
    checkMayRun(may, String(job.command[0]));
  } catch (error) {
    for (const one of [job.output, job.control]) void one.close(error as Error);
    throw error;
  }
  await runProgram(job, channel, door);
}

/** The agent may be allowed to start more than its spec says. */
function checkMayRun({ all, allow, deny }: Permissions, program: string): void {
  const listed = (list: true | readonly string[] | undefined): boolean =>
    list === true || (list?.includes(program) ?? false);
  if ((all || listed(allow.run)) && !listed(deny.run)) return;
  throw new Deno.errors.NotCapable(`Cannot start "${program}": the spec of this gateway lacks allow-run`);
}
