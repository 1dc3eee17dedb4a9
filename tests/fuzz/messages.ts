/** Inputs that are several messages: each has its length before it, two bytes. */

import type { Random } from "../helpers/seeded.ts";
import { concat } from "../helpers/sessions.ts";
import { bigEndian, changed } from "./bytes.ts";

/** The messages of an input. What is cut short is as long as there is. */
export function messagesOf(bytes: Uint8Array): Uint8Array[] {
  const messages: Uint8Array[] = [];
  for (let at = 0; at + 2 <= bytes.length;) {
    const length = bytes[at]! * 256 + bytes[at + 1]!;
    messages.push(bytes.slice(at + 2, at + 2 + length));
    at += 2 + length;
  }
  return messages;
}

/** An input of messages. */
export function joined(messages: readonly Uint8Array[]): Uint8Array {
  return concat(
    ...messages.flatMap((
      message,
    ) => [bigEndian(Math.min(message.length, 0xffff), 2), message.subarray(0, 0xffff)]),
  );
}

/** Changes messages as wholes, or one of them; `own` is what their form knows of changes inside. */
export function messagesChanged(
  messages: Uint8Array[],
  random: Random,
  others: () => Uint8Array[],
  own: (message: Uint8Array) => Uint8Array,
): Uint8Array[] {
  const all = [...messages];
  const at = random.below(Math.max(1, all.length));
  const one = all[at];
  switch (one === undefined ? 5 : random.below(10)) {
    case 0:
      all.splice(at, 1);
      break;
    case 1:
      all.splice(random.below(all.length + 1), 0, one!);
      break;
    case 2:
      all.splice(at, 1, random.pick(all));
      break;
    case 3: {
      const cut = random.below(one!.length + 1);
      all.splice(at, 1, one!.slice(0, cut), one!.slice(cut));
      break;
    }
    case 4:
    case 5: {
      const [other] = others().slice(random.below(3));
      all.splice(random.below(all.length + 1), 0, other ?? random.bytes(4));
      break;
    }
    case 6:
      all[at] = changed(one!, random, () => random.pick(others()) ?? one!);
      break;
    default:
      all[at] = own(one!);
  }
  return all;
}
