/** Real containers, with an engine and images of a test's own and without a registry. */

import { commandLine, processesInCgroup, processState } from "../helpers/leaks.ts";
import type { FarSide, ProcessState } from "../helpers/leaks.ts";
import { processes } from "../helpers/leaks.ts";
import { until } from "../helpers/wait.ts";
import { Keeper, keptFolder, quoted } from "./keeper.ts";
import { failing, findProgram, lacking, notRoot, part } from "./need.ts";
import type { Part } from "./need.ts";
import { imageKey, makeRoot } from "./podman_image.ts";
import type { ImageOptions } from "./podman_image.ts";
import { PART_MARK, run } from "./run.ts";
import type { Ran } from "./run.ts";

export type { ImageOptions };

/** Containers as root. */
export const PODMAN: Part = part(
  "podman",
  () =>
    notRoot() ?? lacking("podman", "runc", "conmon", "busybox", "dash", "ldd", "tar", "find") ??
      (failing(["ldd", findProgram("busybox")!]) === undefined ? "busybox is not a static one" : undefined) ??
      failing(["unshare", "-mpif", "true"]),
);

/** What kind of container it is. */
export interface ContainerOptions extends ImageOptions {
  /** Memory limit as podman writes it, such as `256m`. */
  memory?: string;
  /** Whether its file system cannot be written, apart from /tmp and the like. */
  readOnly?: boolean;
  /** More words for `podman run`. */
  args?: readonly string[];
}

const START_LIMIT_MS = 60_000;

/** An engine: configuration, storage and control groups of its own. It ends all its containers. */
export class Podman implements AsyncDisposable {
  /** The variables that make a plain `podman` use this engine. The environment is shared by all test files. */
  readonly env: Readonly<Record<string, string>>;
  /** A program that is `podman` with these variables; its path has no spaces. */
  readonly program: string;
  /** The folder of its own. */
  readonly folder: string;

  readonly #keeper: Keeper;
  readonly #id: string;
  readonly #images: Map<string, Promise<string>> = new Map();
  #containers = 0;

  private constructor(keeper: Keeper, folder: string) {
    this.#keeper = keeper;
    this.folder = folder;
    this.#id = folder.slice(folder.lastIndexOf("/") + 1).toLowerCase();
    this.program = `${folder}/podman`;
    this.env = {
      CONTAINERS_CONF: `${folder}/containers.conf`,
      CONTAINERS_STORAGE_CONF: `${folder}/storage.conf`,
    };
  }

  /** Makes an engine. Images are made when they are first asked for. */
  static async start(): Promise<Podman> {
    const keeper = new Keeper("podman");
    try {
      const podman = new Podman(keeper, await keptFolder(keeper));
      await podman.#configure();
      return podman;
    } catch (error) {
      await keeper.end();
      throw error;
    }
  }

  /** Starts a container that sleeps. The image of equal options is imported once. */
  async container(options: ContainerOptions = {}): Promise<Container> {
    const key = imageKey(options);
    const image = this.#images.get(key) ?? this.#import(options, this.#images.size);
    this.#images.set(key, image);
    const name = `${this.#id}-${++this.#containers}`;
    const place =
      { path: "/bin/deno", home: "/root/.deno/bin/deno", none: undefined }[options.deno ?? "none"];
    await this.run([
      ...["run", "--detach", "--pull", "never", "--name", name, "--cgroup-parent", `/${this.#id}`],
      ...(place === undefined ? [] : ["--volume", `${await Deno.realPath(Deno.execPath())}:${place}:ro`]),
      ...(options.memory === undefined ? [] : ["--memory", options.memory]),
      ...(options.readOnly ? ["--read-only"] : []),
      ...(options.args ?? []),
      ...[await image, "/bin/sleep", "1000000"],
    ]);
    const { stdout } = await this.run([
      "inspect",
      "--format",
      "{{.Id}} {{.State.Pid}} {{.State.ConmonPid}}",
      name,
    ]);
    const [id, pid, conmon] = stdout.trim().split(" ");
    return new Container(this, name, { id: id!, pid: Number(pid), conmon: Number(conmon) });
  }

  /** Runs `podman` with these words. */
  run(args: readonly string[], mayFail = false): Promise<Ran> {
    return run([this.program, ...args], { mayFail, limit: START_LIMIT_MS });
  }

  /**
   * Freezes a container. On a loaded machine runc gives up when the kernel has not stopped all processes of a busy group
   * within the tries that it has; it thaws them then, and may be asked again.
   */
  async pause(name: string): Promise<void> {
    await until("the container is frozen", async () => {
      const { code, stderr } = await this.run(["pause", name], true);
      if (code !== 0 && !stderr.includes("unable to freeze")) {
        throw new Error(`Cannot pause ${name}: ${stderr}`);
      }
      return code === 0;
    }, START_LIMIT_MS);
  }

  /** Ends all containers and removes the engine. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#keeper.end();
  }

  async #configure(): Promise<void> {
    const { folder, env } = this;
    // The engine's default would be locks in /dev/shm, which a second engine takes for its own and frees.
    const containers = `[containers]
default_ulimits = ["nofile=1024:1024", "nproc=4096:4096"]
netns = "none"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "none"
lock_type = "file"
tmp_dir = "${folder}/tmp"
static_dir = "${folder}/static"
volume_path = "${folder}/volumes"
`;
    const { stdout } = await run(["stat", "-f", "-c", "%T", folder]);
    const driver = stdout.trim() === "overlayfs" ? "vfs" : "overlay"; // An overlay cannot lie on an overlay.
    const storage = `[storage]
driver = "${driver}"
graphroot = "${folder}/graph"
runroot = "${folder}/run"
`;
    await Deno.writeTextFile(env.CONTAINERS_CONF!, containers);
    await Deno.writeTextFile(env.CONTAINERS_STORAGE_CONF!, storage);
    const mark = `${PART_MARK}=${folder}`;
    const variables = [...Object.entries(env), [PART_MARK, folder]].map(([name, value]) =>
      `export ${name}=${value}\n`
    ).join("");
    const script = `#!/bin/sh\n${variables}exec ${quoted(findProgram("podman")!)} "$@"\n`;
    await Deno.writeTextFile(this.program, script, { mode: 0o755 });
    await this.#keeper.undo(`end_groups ${this.#id}`);
    await this.#keeper.undo(`grep ' ${folder}/' /proc/mounts | cut -d' ' -f2 | sort -r | xargs -r umount -l`);
    // What tidies up after a container, in the background and with an environment of its own, must have ended before.
    await this.#keeper.undo(`end_naming ${folder}/`);
    await this.#keeper.undo(`end_marked ${quoted(mark)}`);
    await this.#keeper.undo(`${this.program} rm --force --all --time 0 >/dev/null`);
  }

  async #import(options: ImageOptions, number: number): Promise<string> {
    const name = `localhost/${this.#id}:${number}`;
    const archive = `${this.folder}/image-${number}.tar`;
    const root = `${this.folder}/root-${number}`;
    await makeRoot(root, options);
    await run(["tar", "-C", root, "-cf", archive, "."]);
    await this.run(["import", "--quiet", archive, name]);
    await Promise.all([Deno.remove(archive), Deno.remove(root, { recursive: true })]);
    return name;
  }
}

/** A running container. */
export class Container implements AsyncDisposable, FarSide {
  /** Its name. */
  readonly name: string;
  /** Its id. */
  readonly id: string;
  /** The pid of its main process, as seen from outside. */
  readonly pid: number;
  /** What to put before a command to run it there, for `command=`: words without quotes or spaces in them. */
  readonly prefix: string;

  readonly #podman: Podman;
  readonly #conmon: number;

  /** Only for {@linkcode Podman}. */
  constructor(podman: Podman, name: string, known: { id: string; pid: number; conmon: number }) {
    this.#podman = podman;
    this.name = name;
    this.id = known.id;
    this.pid = known.pid;
    this.#conmon = known.conmon;
    this.prefix = `${podman.program} exec -i ${name}`;
  }

  /** Runs a command in it, to its end. */
  exec(argv: readonly string[], mayFail = false): Promise<Ran> {
    return this.#podman.run(["exec", "-i", this.name, ...argv], mayFail);
  }

  /** Kills its main process, and with it everything in it. */
  kill(): Promise<Ran> {
    return this.#podman.run(["kill", "--signal", "KILL", this.name]);
  }

  /** Whether its main process runs. */
  alive(): boolean {
    return processState(this.pid) !== undefined;
  }

  /** What runs in it besides its main process, and the helpers outside that wait for that. */
  processes(): ProcessState[] {
    const inside = processesInCgroup(`libpod-${this.id}`).filter((one) => one.pid !== this.pid);
    const outside = [...processes().values()].filter((one) =>
      one.pid !== this.#conmon && /conmon/.test(one.command) && commandLine(one.pid).includes(this.id)
    );
    return [...inside, ...outside];
  }

  /** Removes it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#podman.run(["rm", "--force", "--time", "0", this.name]);
  }
}
