/** Copies that are interrupted: what is there is the old file or the new one, and the next copy leaves no litter. */

import { assert, assertEquals, assertMatch } from "jsr:@std/assert@^1.0.19";
import { makeGateway } from "../../mod.ts";
import type { Gateway, RSyncProgress } from "../../mod.ts";
import { withFolder } from "../helpers/folder.ts";
import { gone } from "../helpers/leaks.ts";
import { Random } from "../helpers/seeded.ts";
import { SilentRelay } from "../helpers/silent_relay.ts";
import { SharedServer } from "../helpers/socket_server.ts";
import { describeTree, digestOf, setTime } from "../helpers/tree.ts";
import { notRoot, part, testWith } from "../parts/need.ts";
import { run } from "../parts/run.ts";
import { copyTo, keys } from "./copies.ts";
import { forEachKind, forPopen } from "./kinds.ts";
import { end, start } from "./program.ts";

/** Small files, and some that are long enough to be cut in the middle. */
const SMALL_FILES = 60;
const LARGE_FILES = 3;
const LARGE_BYTES = 4 * 1024 * 1024;
/** Between the beginning of a copy and its end, so many moments are tried. */
const MOMENTS = 8;

/** Makes a source of which there are two versions. */
class Versions {
  readonly source: string;
  readonly dest: string;
  readonly #random = new Random(5);
  /** What each file was and is. */
  readonly #digests = new Map<string, string[]>();

  constructor(folder: string, dest = `${folder}/copy`) {
    this.source = `${folder}/source`;
    this.dest = dest;
    Deno.mkdirSync(`${this.source}/sub`, { recursive: true });
  }

  /** Changes every file. Some of the large ones only a little, so that their old copies are made use of. */
  async next(): Promise<void> {
    for (let i = 0; i < SMALL_FILES; i++) {
      await this.#write(`sub/small${i}`, this.#random.bytes(1 + this.#random.below(5000)));
    }
    for (let i = 0; i < LARGE_FILES; i++) {
      const name = `large${i}`;
      const old = i === 0 ? undefined : read(`${this.source}/${name}`);
      const bytes = old ?? new Uint8Array(LARGE_BYTES);
      if (old === undefined) crypto.getRandomValues(bytes.subarray(0, 65_536));
      for (let k = 0; k < 40; k++) bytes[this.#random.below(bytes.length)] = this.#random.below(256);
      await this.#write(name, bytes);
    }
  }

  #time = Date.UTC(2022, 0, 1);

  async #write(name: string, bytes: Uint8Array): Promise<void> {
    const path = `${this.source}/${name}`;
    Deno.writeFileSync(path, bytes);
    setTime(path, this.#time += 1000);
    const digests = this.#digests.get(name) ?? [];
    digests.push(await digestOf(path));
    this.#digests.set(name, digests);
  }

  /** Every file of the copy is one of its versions, whole; other files there are not but what is being written. */
  async check(): Promise<void> {
    for await (const { name, path } of filesBelow(this.dest)) {
      if (name.split("/").at(-1)!.startsWith(".execnet-rsync-")) continue;
      const digests = this.#digests.get(name) ?? [];
      assert(digests.includes(await digestOf(path)), `${name} is neither the old file nor the new one`);
    }
  }

  /** A further copy makes all right. */
  async recover(gateway: Gateway): Promise<void> {
    const result = await copyTo(gateway, this.source, this.dest);
    assertEquals(result.errors, []);
    assertEquals(await describeTree(this.dest), await describeTree(this.source));
  }
}

function read(path: string): Uint8Array | undefined {
  try {
    return Deno.readFileSync(path);
  } catch {
    return undefined;
  }
}

async function* filesBelow(root: string, below = ""): AsyncGenerator<{ name: string; path: string }> {
  for await (const entry of Deno.readDir(`${root}/${below}`)) {
    const name = `${below}${entry.name}`;
    if (entry.isDirectory) yield* filesBelow(root, `${name}/`);
    else yield { name, path: `${root}/${name}` };
  }
}

/** Calls `action` once, when so much of a copy has been done. */
function atShare(share: number, action: () => void): (event: RSyncProgress) => void {
  let called = false;
  return ({ bytes, files }) => {
    const whole = LARGE_FILES * LARGE_BYTES;
    if (called || bytes + files < share * whole) return;
    called = true;
    action();
  };
}

const shares = Array.from({ length: MOMENTS }, (_, i) => i / MOMENTS);

forPopen(
  "RSync leaves old or new files when the gateway's process is killed at any moment",
  async ({ group }) => {
    await withFolder(async (folder) => {
      const versions = new Versions(folder);
      await versions.next();
      const spec = `popen//${keys(folder)}`;
      let cut = 0;
      // The first copy is cut, too.
      for (const share of shares) {
        const gateway = await group.makeGateway(spec, { stderr: "null" });
        const { pid } = await gateway.remoteInfo();
        const result = await copyTo(gateway, versions.source, versions.dest, {
          onProgress: atShare(share, () => Deno.kill(pid, "SIGKILL")),
        });
        if (result.errors.length > 0) cut++;
        await gateway.closed;
        await versions.check();
        await versions.next();
      }
      assert(cut > MOMENTS / 2, `only ${cut} copies were cut`);
      await versions.recover(await group.makeGateway(spec));
    });
  },
  { limit: 60_000 },
);

const SERVER = new SharedServer();
Deno.test.afterAll(() => SERVER.stop());

const CUTS: readonly [string, (relay: SilentRelay) => void][] = [
  ["closed", (relay) => relay.close()],
  ["silent", (relay) => relay.cut()],
];
for (const [name, cut] of CUTS) {
  forPopen(
    `RSync leaves old or new files when the connection is ${name} at any moment`,
    async ({ group }) => {
      const server = await SERVER.get();
      await withFolder(async (folder) => {
        const versions = new Versions(folder);
        const spec = `token_file=${server.tokenFile}//${keys(folder)}//keepalive=300`;
        for (const share of shares.filter((_, i) => i % 2 === 1)) {
          await versions.next();
          await using relay = new SilentRelay(server.port);
          const gateway = await group.makeGateway(`socket=127.0.0.1:${relay.port}//${spec}`, {
            stderr: "null",
          });
          const { pid } = await gateway.remoteInfo();
          const { errors } = await copyTo(gateway, versions.source, versions.dest, {
            onProgress: atShare(share, () => cut(relay)),
          });
          assertEquals(errors.length, 1);
          assertMatch(
            errors[0]!.message,
            /^Cannot copy to ".*\/copy" on gateway "gw\d+": Gateway "gw\d+" is closed/,
          );
          // Its process is on its own, and ends as well.
          await gone(pid, 10_000);
          await versions.check();
        }
        await versions.recover(await group.makeGateway(`socket=127.0.0.1:${server.port}//${spec}`));
      });
    },
    { limit: 60_000 },
  );
}

forEachKind("RSync leaves old or new files when it is aborted, and nothing else", async ({ open }) => {
  await withFolder(async (folder) => {
    const versions = new Versions(folder);
    await versions.next();
    const gateway = await open(keys(folder));
    let cut = 0;
    for (const share of shares.slice(0, 4)) {
      const stop = new AbortController();
      const reason = new Error(`at ${share}`);
      const sent = copyTo(gateway, versions.source, versions.dest, {
        signal: stop.signal,
        onProgress: atShare(share, () => stop.abort(reason)),
      });
      const outcome = await sent.then(() => undefined, (error) => error);
      assert(outcome === undefined || outcome === reason, String(outcome));
      if (outcome === reason) cut++;
      await versions.check();
      for await (const { name } of filesBelow(versions.dest)) assert(!name.includes(".execnet-rsync-"), name);
      await versions.next();
    }
    assert(cut > 0, "no copy was cut");
    await versions.recover(gateway);
  });
}, { limit: 60_000 });

forPopen("RSync leaves old or new files when the program that copies is killed", async ({ group }) => {
  await withFolder(async (folder) => {
    const versions = new Versions(folder);
    for (const share of shares.slice(0, 3)) {
      await versions.next();
      const program = start("rsync_program.ts", [
        versions.source,
        versions.dest,
        String(share * LARGE_FILES * LARGE_BYTES),
      ]);
      const { signal } = await end(program);
      assertEquals(signal, "SIGKILL");
      await versions.check();
    }
    const gateway = await group.makeGateway(`popen//${keys(folder)}`);
    await versions.recover(gateway);
  });
}, { limit: 60_000 });

const MOUNT = part("mount", () => notRoot());

testWith(MOUNT, "RSync leaves old files where the disk is full, and goes on when it is not", async () => {
  await withFolder(async (folder) => {
    const disk = `${folder}/disk`;
    Deno.mkdirSync(disk);
    await run(["mount", "-t", "tmpfs", "-o", "size=18m", "none", disk]);
    try {
      const versions = new Versions(folder, `${disk}/copy`);
      await versions.next();
      await using gateway = await makeGateway(`popen//${keys(disk)}`);
      await versions.recover(gateway);
      // There is room for one new file at a time, and none for anything new.
      await run(["sh", "-c", `head -c 4000000 /dev/zero >${disk}/filler`]);
      await versions.next();
      const full = await copyTo(gateway, versions.source, versions.dest);
      const { errors, transferred } = full;
      assert(errors.length > 0);
      for (const { message } of errors) {
        assertMatch(message, /^Cannot copy to ".*" on gateway "gw\d+": .*No space left/);
      }
      assert(transferred < SMALL_FILES + LARGE_FILES);
      await versions.check();
      for await (const { name } of filesBelow(versions.dest)) assert(!name.includes(".execnet-rsync-"), name);
      Deno.removeSync(`${disk}/filler`);
      await versions.recover(gateway);
    } finally {
      await run(["umount", disk]);
    }
  });
}, { limit: 60_000 });
