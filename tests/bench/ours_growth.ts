/** Measures how cost grows with the number of channels and of gateways. Run as a part of ours.ts. */

import { Group } from "../../mod.ts";
import type { Channel, Gateway } from "../../mod.ts";
import { channels } from "./ours_many.ts";
import type { Figures, Task } from "./player.ts";
import { expect } from "./util.ts";

type Numbers = Channel<number, number>;

/** Takes channels until null comes, then answers on each what comes there. */
const ECHO_ALL = `
  for await (const one of channel) {
    if (one === null) break;
    one.setCallback((item) => one.send(item));
  }
  await channel.send(null);
  await channel.receive();`;

/** Takes channels until null comes; then sends, for each number that comes, so many items on each. */
const INTS_ALL = `
  const all = [];
  for await (const one of channel) {
    if (one === null) break;
    all.push(one);
  }
  await channel.send(null);
  for await (const count of channel) {
    await Promise.all(all.map(async (one) => {
      for (let i = 0; i < count; i++) await one.send(i % 1000);
    }));
  }`;

const group = new Group();
const far = new Map<string, Promise<Numbers[]>>();
const carriers = new Map<Numbers[], Channel<number, Numbers | null>>();

/** Ends the gateways. */
export async function endGrowing(): Promise<void> {
  await group.terminate();
}

/** What is there for all rounds, made when it is first asked for. */
function made(key: string, make: () => Promise<Numbers[]>): Promise<Numbers[]> {
  const found = far.get(key) ?? make();
  far.set(key, found);
  return found;
}

/** Opens channels to one execution, and waits until it has them all. */
async function openAll(source: string, spec: string, count: number): Promise<Numbers[]> {
  const gateway = await group.makeGateway(spec);
  const carrier = gateway.remoteExec<number | null, Numbers | number | null>(source);
  const opened: Numbers[] = [];
  for (let i = 0; i < count; i++) {
    const one = gateway.newChannel<number, number>();
    await carrier.send(one as unknown as number);
    opened.push(one);
  }
  await carrier.send(null);
  expect(await carrier.receive(), null, "the word that all channels are there");
  carriers.set(opened, carrier as unknown as Channel<number, Numbers | null>);
  return opened;
}

/** `count model`: how many channels or gateways there are, and the rest of the spec. */
function readKind(kind: string): { count: number; spec: string } {
  const [count, ...spec] = kind.split(" ");
  return { count: Number(count), spec: spec.join(" ") };
}

/** Microseconds for a round trip, each on the next one of them. */
async function pingInTurn(all: readonly Numbers[], size: number): Promise<number> {
  const began = performance.now();
  for (let i = 0; i < size; i++) {
    const one = all[i % all.length]!;
    await one.send(i % 100);
    expect(await one.receive(), i % 100, "the echo");
  }
  return (performance.now() - began) * 1000 / size;
}

/** Round trips on the channels of one gateway in turn. */
export async function pingChannels({ kind, size }: Task): Promise<number> {
  const { count, spec } = readKind(kind);
  return await pingInTurn(await made(`channels ${kind}`, () => openAll(ECHO_ALL, spec, count)), size);
}

/** Round trips on gateways in turn, with one channel each. */
export async function pingGateways({ kind, size }: Task): Promise<number> {
  const { count, spec } = readKind(kind);
  const all = await made(`gateways ${kind}`, () =>
    Promise.all(Array.from({ length: count }, async () => {
      const [one] = await openAll(ECHO_ALL, spec, 1);
      return one!;
    })));
  return await pingInTurn(all, size);
}

/** Items a second that come in, the same number of them on however many channels. */
export async function intsOver({ kind, size }: Task): Promise<number> {
  const { count, spec } = readKind(kind);
  const all = await made(`ints ${kind}`, () => openAll(INTS_ALL, spec, count));
  const each = Math.ceil(size / count);
  const began = performance.now();
  await carriers.get(all)!.send(each as unknown as null);
  await Promise.all(all.map(async (one) => {
    for (let i = 0; i < each; i++) {
      const item = await one.receive();
      if (item !== i % 1000) throw new Error(`item ${i} is ${item}`);
    }
  }));
  return each * count * 1000 / (performance.now() - began);
}

/** Milliseconds for each of `size` gateways that start at the same time, execute something, and end. */
export async function manyEach({ kind, size }: Task): Promise<Figures> {
  const began = performance.now();
  await using many = new Group();
  const one = async (gateway: Gateway): Promise<void> =>
    expect(await gateway.remoteExec("channel.send(1)").receive(), 1, "the first item");
  await Promise.all(Array.from({ length: size }, async () => await one(await many.makeGateway(kind))));
  const started = performance.now();
  const ends = await many.terminate();
  expect(ends.length, size, "gateways that ended");
  expect(ends.every(({ forced }) => !forced), true, "ended by themselves");
  const ended = performance.now();
  return { each: (ended - began) / size, start: (started - began) / size, end: (ended - started) / size };
}

/** The time of {@linkcode channels} for each of them, and what it holds. */
export async function channelsEach(task: Task): Promise<Figures> {
  const { rate, local, remote } = await channels(task);
  return { each: 1e6 / rate!, local: local!, remote: remote! };
}
