/** The gateways of this library's measurements, and the code that runs in them. */

import { Group } from "../../mod.ts";
import type { Channel, Gateway } from "../../mod.ts";
import { sshAlias, sshConfig } from "./far_host.ts";
import { BLOCK_BYTES, UNREAD_BYTES } from "./util.ts";

/** The far sides: each serves one measurement after the other, as often as it is asked. */
export const SOURCES = {
  echo: `while (true) await channel.send(await channel.receive())`,
  ints: `
    for await (const count of channel) {
      for (let i = 0; i < count; i++) await channel.send(i % 1000);
    }`,
  takeInts: `
    for await (const count of channel) {
      let wrong = 0;
      for (let i = 0; i < count; i++) if (await channel.receive() !== i % 1000) wrong++;
      await channel.send(wrong);
    }`,
  dicts: `
    for await (const count of channel) {
      for (let id = 0; id < count; id++) await channel.send({ id, name: "abc", vals: [1, 2, 3] });
    }`,
  blocks: `
    const block = new Uint8Array(${BLOCK_BYTES});
    for await (const count of channel) {
      for (let i = 0; i < count; i++) {
        block[0] = i % 16;
        block[block.length - 1] = 255 - i % 16;
        await channel.send(block);
      }
    }`,
  takeBlocks: `
    for await (const count of channel) {
      let wrong = 0;
      for (let i = 0; i < count; i++) {
        const block = await channel.receive();
        const right = block.length === ${BLOCK_BYTES} && block[0] === i % 16 &&
          block[block.length - 1] === 255 - i % 16;
        if (!right) wrong++;
      }
      await channel.send(wrong);
    }`,
  unread: `
    const counter = await channel.receive();
    const count = await channel.receive();
    let sent = 0;
    counter.setCallback(() => counter.send(sent));
    const block = new Uint8Array(${UNREAD_BYTES});
    for (; sent < count; sent++) {
      block[0] = sent % 16;
      block[block.length - 1] = 255 - sent % 16;
      await channel.send(block);
    }
    await channel.receive();`,
};

const HOP = "popen//id=hop//allow-run=sh";

const group = new Group();
const gateways = new Map<string, Promise<Gateway>>();
const farSides = new Map<string, Promise<Channel>>();
let hop: Promise<Gateway> | undefined;

/** The gateway of a kind, the same for all tasks: an execution model, with `ssh+` or `via+` before it where it is there. */
export function gatewayFor(kind: string): Promise<Gateway> {
  const made = gateways.get(kind) ?? make(kind);
  gateways.set(kind, made);
  return made;
}

async function make(kind: string): Promise<Gateway> {
  if (kind.startsWith("via+")) await (hop ??= group.makeGateway(HOP));
  return await group.makeGateway(specFor(kind));
}

/** The spec of a kind. */
export function specFor(kind: string): string {
  const [model = "", way = "popen"] = kind.split("+").reverse();
  const execmodel = model === "worker" ? "" : `//execmodel=${model}`;
  if (way === "ssh") return `ssh=${sshAlias()}//ssh_config=${sshConfig("fresh")}${execmodel}`;
  return `${way === "via" ? "popen//via=hop" : "popen"}${execmodel}`;
}

/** A channel to a far side, the same for all rounds. */
export function channelTo(source: keyof typeof SOURCES, kind: string): Promise<Channel> {
  const key = `${source} ${kind}`;
  const open = async (): Promise<Channel> => (await gatewayFor(kind)).remoteExec(SOURCES[source]) as Channel;
  const made = farSides.get(key) ?? open();
  farSides.set(key, made);
  return made;
}

/** A channel to a far side that waits for its first task. */
export async function newChannelTo(source: keyof typeof SOURCES, kind: string): Promise<Channel> {
  const channel = (await gatewayFor(kind)).remoteExec(`await channel.send(0);${SOURCES[source]}`) as Channel;
  await channel.receive();
  return channel;
}

/** Ends a far side after its last task. */
export async function endChannel(channel: Channel): Promise<void> {
  await channel.closeWrite();
  await channel.waitClose();
}

/** Ends all of them. */
export async function endGateways(): Promise<void> {
  await group.terminate();
}
