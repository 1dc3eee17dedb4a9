/** Links that are cut for a while at any moment, lose packets and delay them, or are dead in one direction or both. */

import { assert, assertEquals } from "jsr:@std/assert@^1.0.19";
import { RSync } from "../../mod.ts";
import type { Gateway, Group } from "../../mod.ts";
import { echo } from "../helpers/echo.ts";
import { withFolder } from "../helpers/folder.ts";
import { nothingLeft, processState } from "../helpers/leaks.ts";
import { PIECE_BYTES } from "../helpers/pieces.ts";
import { Random } from "../helpers/seeded.ts";
import { SilentRelay } from "../helpers/silent_relay.ts";
import type { Direction } from "../helpers/silent_relay.ts";
import { SharedServer } from "../helpers/socket_server.ts";
import { describeTree } from "../helpers/tree.ts";
import { limited, until } from "../helpers/wait.ts";
import { KEEPALIVE_MS, oursOn, specOn, testOnHosts } from "../integration/cut_hosts.ts";
import { answers, QUIET } from "../integration/elsewhere.ts";
import { forPopen } from "../integration/kinds.ts";
import { HOSTS, Hosts } from "../parts/hosts.ts";
import type { Chain } from "../parts/hosts.ts";
import { shared } from "../parts/need.ts";
import { allEnd, askAll, waitForAll } from "./dead_link.ts";

const SEED = Number(Deno.env.get("EXECNET_TEST_SEED") ?? 3);

const hosts = shared(HOSTS, () => Hosts.start({ count: 2 }));
const server = new SharedServer();
Deno.test.afterAll(() => server.stop());

/**
 * Four intervals, one more in which a sign of life may still have come, and what a busy machine takes. It holds for a link
 * that is dead in one direction, too: the end of the side that hears nothing comes by the other one, or TCP stops there
 * for want of answers.
 */
const PROMISED_MS = 5 * KEEPALIVE_MS + 5_000;

/** Cuts of this length are mended in time, together with what TCP waits before it tries again. */
const LONGEST_CUT_MS = 600;
const PATIENT = "keepalive=4000";
const CUTS = 4;
const PIECES = 160;
const FILES = 4;
const FILE_BYTES = 3 << 20;

/** Copies a folder, and compares. `seen` is told how many bytes are there. */
async function copy(
  gateway: Gateway,
  from: string,
  to: string,
  seen: (bytes: number) => void,
): Promise<void> {
  const rsync = new RSync(from, { onProgress: ({ bytes }) => seen(bytes) });
  rsync.addTarget(gateway, to);
  const [result] = await rsync.send();
  assertEquals(result!.errors, []);
  assertEquals(await describeTree(to), await describeTree(from));
}

function makeFiles(folder: string): void {
  Deno.mkdirSync(folder);
  for (let i = 0; i < FILES; i++) {
    const bytes = new Uint8Array(FILE_BYTES);
    for (let at = 0; at < FILE_BYTES; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536));
    Deno.writeFileSync(`${folder}/${i}`, bytes);
  }
}

/** A gateway by ssh on a host, and one by a server that is started there, whose connection is another one. */
async function bothKinds(
  group: Group,
  hosts: Hosts,
  keys: string,
  patient = "keepalive=0",
): Promise<Gateway[]> {
  const hop = await group.makeGateway(specOn(hosts, 1, `id=hop//allow-run//${patient}`), QUIET);
  const ssh = `ssh=-S none ${hosts.host(1)}//ssh_config=${hosts.config}//${keys}`;
  return [
    await group.makeGateway(ssh, QUIET),
    await group.makeGateway(`socket//installvia=${hop.id}//${keys}`, QUIET),
  ];
}

testOnHosts(
  `cuts at any moment that are mended in time change no byte, by ssh and by socket (EXECNET_TEST_SEED=${SEED})`,
  hosts,
  async (group, hosts) => {
    const random = new Random(SEED);
    await withFolder(async (folder) => {
      const from = `${folder}/source`;
      makeFiles(from);
      const gateways = await bothKinds(
        group,
        hosts,
        `${PATIENT}//allow-read=${folder}//allow-write=${folder}`,
      );
      const whole = gateways.length * (PIECES * PIECE_BYTES + FILES * FILE_BYTES);
      const done = new Map<string, number>();
      const share = (): number => [...done.values()].reduce((sum, one) => sum + one, 0) / whole;
      const work = Promise.all(gateways.flatMap((gateway, at) => [
        echo(gateway, PIECES, (count) => done.set(`echo ${at}`, count * PIECE_BYTES)),
        copy(gateway, from, `${folder}/copy${at}`, (bytes) => done.set(`copy ${at}`, bytes)),
      ]));
      work.catch(() => {});
      const moments = Array.from({ length: CUTS }, (_, i) => (i + random.next()) / (CUTS + 1));
      for (const moment of moments) {
        await until(`${moment} of it`, () => share() >= moment, 30_000);
        await hosts.cut(1);
        await new Promise((resolve) => setTimeout(resolve, random.between(50, LONGEST_CUT_MS)));
        await hosts.mend(1);
      }
      assert(moments.at(-1)! < 1);
      await limited("the rest", work, 40_000);
      for (const gateway of gateways) await answers(gateway);
    });
  },
);

testOnHosts("a link that loses and delays passes all on, byte for byte", hosts, async (group, hosts) => {
  const config = await hosts.delay(40);
  const gateway = await group.makeGateway(
    `ssh=${hosts.host(2)}//ssh_config=${config}//keepalive=3000`,
    QUIET,
  );
  await hosts.loss(2, 0.03);
  try {
    await limited("both", Promise.all([echo(gateway, 32, () => {}), answers(gateway)]), 60_000);
    await limited("the end", gateway[Symbol.asyncDispose](), 10_000);
  } finally {
    await hosts.loss(2, 0);
  }
});

const DIRECTIONS: readonly [name: string, chains: readonly Chain[]][] = [
  ["to the host", ["INPUT"]],
  ["from the host", ["OUTPUT"]],
  ["both ways", ["INPUT", "OUTPUT"]],
];
for (const [name, chains] of DIRECTIONS) {
  testOnHosts(
    `all that waits on a link that is dead ${name} ends in time, here and there`,
    hosts,
    async (group, hosts) => {
      await withFolder(async (folder) => {
        const keys = `keepalive=${KEEPALIVE_MS}//allow-read=${folder}//allow-write=${folder}`;
        const gateways = await bothKinds(group, hosts, keys);
        const other = await group.makeGateway("popen", QUIET);
        const pids = await Promise.all(gateways.map(async (gateway) => (await gateway.remoteInfo()).pid));
        const waits = await Promise.all(gateways.map(waitForAll));
        await hosts.loss(1, 1, chains);
        try {
          const ends = gateways.map((gateway, at) =>
            allEnd(gateway, { ...waits[at], ...askAll(gateway, folder) }, PROMISED_MS)
          );
          await answers(other);
          await Promise.all(ends);
          await until("their processes have ended", () => {
            return pids.every((pid) => processState(pid) === undefined);
          }, PROMISED_MS);
        } finally {
          await hosts.loss(1, 0, ["INPUT", "OUTPUT"]);
        }
        await group.terminate();
        await nothingLeft(oursOn(hosts, 1), [], 30_000);
      });
    },
  );
}

const CUT: readonly [name: string, directions: readonly Direction[]][] = [
  ["to the server", ["there"]],
  ["from the server", ["back"]],
];
for (const [name, directions] of CUT) {
  forPopen(`all that waits on a server ends in time when the link is dead ${name}`, async ({ group }) => {
    const { port, tokenFile } = await server.get();
    await withFolder(async (folder) => {
      await using relay = new SilentRelay(port);
      const keys = `keepalive=${KEEPALIVE_MS}//allow-read=${folder}//allow-write=${folder}`;
      const gateway = await group.makeGateway(
        `socket=127.0.0.1:${relay.port}//token_file=${tokenFile}//${keys}`,
        QUIET,
      );
      const { pid } = await gateway.remoteInfo();
      const waits = await waitForAll(gateway);
      relay.cut(directions);
      await allEnd(gateway, { ...waits, ...askAll(gateway, folder) }, PROMISED_MS);
      await until("its process has ended", () => processState(pid) === undefined, PROMISED_MS);
    });
  }, { limit: 40_000 });
}
