/** What calls and maps are given, as what is shipped: a function, an export of a module, or text. */

import { dedent } from "./source.ts";
import type { AnyFunction, Shipment, Shipping } from "./shipping/shipping.ts";

/** What can be called. */
export type Callable = AnyFunction | URL | string;

const TEXT_PREFIX = "export default (";

/** What stands in the first line of a text. */
const FIRST_LINE = /(<remote exec>:1:)(\d+)/g;

/**
 * Looks at what is to be called on a gateway. Functions and text are ready at once, modules are put together first.
 *
 * @throws {TypeError} when it cannot be called
 */
export function shipCallable(
  id: string,
  shipping: Shipping,
  source: Callable,
): Shipment | ((signal: AbortSignal) => Promise<Shipment>) {
  if (source instanceof URL) return (signal) => shipExport(shipping, source, signal);
  if (typeof source === "string") return shipText(source);
  const shipment = shipping.shipFunction(source, { channel: false });
  if (shipment.kind === "generator") {
    throw new TypeError(`Cannot call on gateway "${id}": a generator function gives items to stream()`);
  }
  return shipment;
}

/** The fragment of a URL names the export. */
async function shipExport(shipping: Shipping, url: URL, signal: AbortSignal): Promise<Shipment> {
  const file = new URL(url);
  file.hash = "";
  const wanted = decodeURIComponent(url.hash.slice(1)) || "default";
  const shipment = await shipping.shipModule(file, signal);
  return { ...shipment, module: { export: wanted, typescript: false } };
}

function shipText(text: string): Shipment {
  return {
    text: `${TEXT_PREFIX}${dedent(text)}\n)`,
    name: "",
    kind: "function",
    module: { export: "default", typescript: true },
    readStack: (stack) =>
      stack.replace(FIRST_LINE, (_, place, column) => `${place}${Number(column) - TEXT_PREFIX.length}`),
  };
}
