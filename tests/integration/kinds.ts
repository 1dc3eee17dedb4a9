/** The kinds of gateways that every behaviour is tested with, and how such a test is registered. */

import { Group } from "../../mod.ts";
import type { ExecModel, Gateway, GatewayOptions } from "../../mod.ts";
import { LeakCheck, nothingLeft } from "../helpers/leaks.ts";
import type { FarSide } from "../helpers/leaks.ts";
import { SharedServer } from "../helpers/socket_server.ts";
import type { TestServer } from "../helpers/socket_server.ts";
import { limited } from "../helpers/wait.ts";
import { needs, shared, testWith } from "../parts/need.ts";
import type { Part } from "../parts/need.ts";
import { SSHD } from "../parts/sshd.ts";
import { SshWithMaster } from "../parts/ssh_master.ts";
import { APART, Lender, runSteps } from "./sharing.ts";
import type { Behaviour } from "./sharing.ts";

/** What its tests know of a kind. */
export interface Kind {
  /** Shown in the names of tests. */
  readonly name: string;
  /** The spec, to which tests add keys. */
  readonly spec: string;
  /** The model. */
  readonly model: ExecModel;
  /** Whether the processes are on this machine, so that a test can look at them. */
  readonly local: boolean;
  /** Whether it has a process of its own; a `worker` gateway shares that of the program. */
  readonly ownProcess: boolean;
  /** The server that starts its processes; others are started by the program itself. */
  readonly server?: TestServer | undefined;
  /** The folder that its gateways start in, if not the program's own. */
  readonly folder?: string | undefined;
  /** Where its processes run, if they are not descendants of this program. */
  readonly farSide?: FarSide | undefined;
  /** The spec of the gateway that its gateways are started from, which has the id `hop`. */
  readonly hop?: string;
}

/** What is known of a kind when what it takes has been started. */
type Reached = Pick<Kind, "spec" | "server" | "farSide" | "folder">;

/** A way of starting a gateway and a model of running its executions. What it takes is started when a test needs it. */
export interface KindInit extends Omit<Kind, "spec"> {
  /** The spec, or what starts all that it takes and then gives it. */
  readonly spec: string | (() => Promise<Reached>);
  /** The real part that it takes, which a machine may not have. */
  readonly part?: Part;
}

const SERVER = new SharedServer();
Deno.test.afterAll(() => SERVER.stop());

async function socketSpec(model: ExecModel): Promise<Reached> {
  const server = await SERVER.get();
  const spec = `socket=127.0.0.1:${server.port}//token_file=${server.tokenFile}//execmodel=${model}`;
  return { spec, server };
}

let ssh: (() => SshWithMaster) | undefined;

/** Starts what kinds take once for the tests of a file, if there are any for them. */
function prepare({ part }: KindInit): void {
  if (part === SSHD) ssh ??= shared(SSHD, () => SshWithMaster.start());
}

function sshSpec(model: ExecModel): Promise<Reached> {
  const { sshd, config } = ssh!();
  return Promise.resolve({
    spec: `ssh=${sshd.host()}//ssh_config=${config}//execmodel=${model}`,
    farSide: sshd,
    folder: loginHome(),
  });
}

/** Where a login of the own user begins. */
function loginHome(): string {
  const users = Deno.readTextFileSync("/etc/passwd").split("\n").map((line) => line.split(":"));
  return users.find((fields) => fields[2] === String(Deno.uid()))![5]!;
}

/**
 * All kinds. A new way of connecting gets a line here, and with it every test. Each kind takes a minute, so that what is
 * not on this machine for its own sake comes in one model each; all models of all ways have tests of their own.
 */
export const KINDS: readonly KindInit[] = [
  { name: "popen worker", spec: "popen//execmodel=worker", model: "worker", local: true, ownProcess: true },
  { name: "popen main", spec: "popen//execmodel=main", model: "main", local: true, ownProcess: true },
  {
    name: "popen process",
    spec: "popen//execmodel=process",
    model: "process",
    local: true,
    ownProcess: true,
  },
  {
    name: "socket worker",
    spec: () => socketSpec("worker"),
    model: "worker",
    local: true,
    ownProcess: true,
  },
  {
    name: "command process",
    spec: "command=env//execmodel=process",
    model: "process",
    local: true,
    ownProcess: true,
  },
  { name: "ssh main", spec: () => sshSpec("main"), model: "main", local: true, ownProcess: true, part: SSHD },
  {
    name: "via worker",
    spec: "popen//via=hop//execmodel=worker",
    model: "worker",
    local: true,
    ownProcess: true,
    hop: "popen//id=hop//allow-run=sh",
  },
  { name: "worker", spec: "worker", model: "worker", local: false, ownProcess: false },
  { name: "worker main", spec: "worker//execmodel=main", model: "main", local: false, ownProcess: false },
];

/** Models in which an execution has an isolate of its own and can be ended. */
export const SEPARATE: readonly ExecModel[] = ["worker", "process"];

/** Longer than any test looks at such a loop. */
const LOOP_MS = 8_000;

/** What a test works with. Whatever it opened is ended after it. */
export class Setting {
  /** The kind that the test is for. */
  readonly kind: Kind;
  /** Holds the test's gateways. */
  readonly group: Group = new Group();
  readonly #opened: Gateway[] = [];
  #hop: Promise<Gateway> | undefined;

  /**
   * Code that never yields. Deno cannot stop a thread of this program that runs such code: there it ends by itself some
   * time after the test, so that it does not take the processor from all other tests.
   */
  get endless(): string {
    return this.kind.ownProcess
      ? "while (true) {}"
      : `for (const end = performance.now() + ${LOOP_MS}; performance.now() < end;);`;
  }

  /** Makes the setting of one test. */
  constructor(kind: Kind) {
    this.kind = kind;
  }

  /** Starts a gateway of this kind; `keys` are added to its spec. What it prints is dropped if not asked for. */
  readonly open = async (keys: string = "", options: GatewayOptions = {}): Promise<Gateway> => {
    if (this.kind.hop !== undefined) {
      this.#hop ??= this.group.makeGateway(this.kind.hop, { stderr: "null" });
      await this.#hop;
    }
    const spec = keys === "" ? this.kind.spec : `${this.kind.spec}//${keys}`;
    const gateway = await this.group.makeGateway(spec, { stderr: "null", ...options });
    this.#opened.push(gateway);
    return gateway;
  };

  /** Ends all gateways, those too that have left the group. */
  async end(): Promise<void> {
    await this.group.terminate({ timeout: 2_000 });
    await Promise.all(this.#opened.map((gateway) => gateway[Symbol.asyncDispose]()));
  }
}

/** How a test is registered. */
export interface TestOptions {
  /** Milliseconds until it fails; by default 20 000. */
  limit?: number;
  /** Only for kinds with one of these models. */
  models?: readonly ExecModel[];
  /** Only for kinds whose processes are on this machine. */
  local?: boolean;
  /** Only for kinds with a process of their own. */
  ownProcess?: boolean;
  /** Only for kinds whose processes the program itself starts, with its own folder and Deno. */
  popen?: boolean;
  /** Only for kinds whose gateways are alone in their group, and not with those that they are started from. */
  alone?: boolean;
  /** Only for kinds that share the program's process. */
  inside?: boolean;
}

const LIMIT_MS = 20_000;
const END_LIMIT_MS = 15_000;

/** Registers a test for each kind, with a time limit and a check that no process is left. */
export function forEachKind(
  name: string,
  fn: (setting: Setting) => Promise<void>,
  options: TestOptions = {},
): void {
  for (const kind of chosen(options)) register(`${name} [${kind.name}]`, kind, fn, options);
}

function chosen(options: TestOptions): KindInit[] {
  return KINDS.filter((kind) =>
    (options.models === undefined || options.models.includes(kind.model)) &&
    (kind.local || !options.local) &&
    (kind.ownProcess || !options.ownProcess) &&
    (kind.name.startsWith("popen") || !options.popen) &&
    (kind.hop === undefined || !options.alone) &&
    (!kind.ownProcess || !options.inside)
  );
}

/** What a behaviour works with that may have a gateway which others have used before. */
export type SharedSetting = Pick<Setting, "kind" | "endless"> & { open(): Promise<Gateway> };

/** The behaviours of this file that share gateways, by kind. */
const SHARING = new Map<KindInit, Behaviour<SharedSetting>[]>();

/**
 * Like {@linkcode forEachKind}, for what can be shown by a gateway that has done something before. For the first kind it
 * is a test with a gateway of its own, so that no operation, resource or process is left by it alone. For each of the
 * others all of a file are the steps of one test, named by the kind, for a start takes longer than most of them;
 * `EXECNET_TESTS_APART=1` makes tests of these, too.
 */
export function forEachKindShared(
  name: string,
  fn: (setting: SharedSetting) => Promise<void>,
  options: TestOptions = {},
): void {
  for (const kind of chosen(options)) {
    if (kind === KINDS[0] || APART) {
      register(`${name} [${kind.name}]`, kind, fn, options);
      continue;
    }
    const behaviours = SHARING.get(kind);
    const one = { name, limit: options.limit ?? LIMIT_MS, fn };
    if (behaviours === undefined) registerSteps(kind, [one]);
    else behaviours.push(one);
  }
}

/** What is added to `behaviours` until the file has been read, is run, too. */
function registerSteps(kind: KindInit, behaviours: Behaviour<SharedSetting>[]): void {
  SHARING.set(kind, behaviours);
  register(`behaviours that share gateways [${kind.name}]`, kind, async (setting, test) => {
    const lender = new Lender(() => setting.open());
    const { kind, endless } = setting;
    await runSteps(test, behaviours, { kind, endless, open: lender.lend }, lender);
  }, { limit: STEPS_LIMIT_MS });
}

/** Each step has a limit of its own. */
const STEPS_LIMIT_MS = 300_000;

/** Registers a test that is about one way of connecting only; its gateways are local ones. */
export function forPopen(
  name: string,
  fn: (setting: Setting) => Promise<void>,
  options: TestOptions = {},
): void {
  register(`${name} [popen]`, KINDS[0]!, fn, options);
}

function register(
  name: string,
  init: KindInit,
  fn: (setting: Setting, test: Deno.TestContext) => Promise<void>,
  options: TestOptions,
): void {
  prepare(init);
  const body = async (test: Deno.TestContext): Promise<void> => {
    const { spec } = init;
    const kind: Kind = { ...init, ...(typeof spec === "string" ? { spec } : await spec()) };
    const leaks = new LeakCheck();
    const before = kind.farSide?.processes();
    const setting = new Setting(kind);
    try {
      await limited(name, fn(setting, test), options.limit ?? LIMIT_MS);
    } finally {
      await limited(`the end of ${name}`, setting.end(), END_LIMIT_MS);
    }
    await leaks.done();
    if (kind.farSide !== undefined) await nothingLeft(kind.farSide, before);
  };
  const { part } = init;
  if (part === undefined || needs(part).met) Deno.test(name, body);
  else testWith(part, name, () => {});
}
