/** What runs behind every gateway of a soak: it serves lanes, which come over its own channel, and tells of their ends. */

import type { Channel } from "../../mod.ts";
import { bodyOf, checksum, Tally } from "./items.ts";
import type { Order, Parcel } from "./items.ts";

/** A lane that is to be served, with its number. */
export type NewLane = [number: number, lane: Channel];

/** How a lane has ended over there: what was sent and received on it, and why it was read no further. */
export type LaneReport = [number: number, sent: number, got: number, how: string];

/** What {@linkcode serve} needs that it cannot import. */
interface Tools {
  Tally: typeof Tally;
  bodyOf: typeof bodyOf;
}

/** Serves lanes until no more come. It is sent as text. */
async function serve(control: Channel<NewLane, LaneReport>, { Tally, bodyOf }: Tools): Promise<void> {
  const obey = async (lane: Channel, tally: Tally, order: Order, passed: Channel): Promise<void> => {
    const put = (body: unknown, passed?: Channel): Promise<void> =>
      lane.send(tally.wrap(body, passed) as never);
    switch (order.do) {
      case "send":
        for (let i = 0; i < order.count; i++) await put(bodyOf(order.seed + i, order.size));
        break;
      case "fill": {
        const own = new Tally();
        for (let i = 0; i < order.count; i++) {
          await passed.send(own.wrap(bodyOf(order.seed + i, 0)) as never);
        }
        await passed.close();
        break;
      }
      case "make": {
        const made = control.gateway.newChannel();
        await put(null, made);
        const own = new Tally();
        for await (const item of made) own.open(item);
        await put(own.got);
        break;
      }
      case "close":
        await lane.close();
        break;
      case "fail":
        await lane.close(new RangeError(order.text));
        break;
    }
  };
  const serveLane = async (number: number, lane: Channel): Promise<void> => {
    const tally = new Tally();
    let how = "";
    try {
      for await (const item of lane) {
        const body = tally.open(item);
        const isOrder = typeof body === "object" && body !== null && "do" in body;
        if (isOrder) await obey(lane, tally, body as Order, (item as unknown as Parcel)[4]!);
      }
    } catch (error) {
      const { name, message } = error as Error;
      how = `${name}: ${message}`;
      try {
        // What had arrived counts, though nobody obeys it any more.
        while (true) tally.open(await lane.receive());
      } catch (late) {
        const { message } = late as Error;
        if (message.startsWith("Item ")) how = message;
      }
    }
    await lane.close();
    await control.send([number, tally.sent, tally.got, how]);
  };
  const served = new Set<Promise<void>>();
  for await (const [number, lane] of control) {
    const one = serveLane(number, lane).finally(() => served.delete(one));
    served.add(one);
  }
  await Promise.all(served);
}

/** What is executed. */
export const FAR_SOURCE: string = `const checksum = ${checksum};
const bodyOf = ${bodyOf};
const Tally = ${Tally};
await (${serve})(channel, { Tally, bodyOf });`;
