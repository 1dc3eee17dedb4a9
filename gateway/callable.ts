/** What calls and maps are given, as what is shipped: a function, an export of a module, or text. */

import { dedent } from "./source.ts";
import type { AnyFunction, Shipment, Shipping } from "./shipping/shipping.ts";

/** What can be called. */
export type Callable = AnyFunction | URL | string;

/** How a text begins that is a generator function. */
const GENERATOR = /^\s*(?:async\s+)?function\s*\*/;

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
  if (source instanceof URL) {
    const wanted = exportOf(id, source);
    return (signal) => shipExport(shipping, source, wanted, signal);
  }
  if (typeof source === "string") {
    if (GENERATOR.test(source)) throw new TypeError(`${generatorRefusal(id)}, which takes it as a function`);
    return shipText(source);
  }
  const shipment = shipping.shipFunction(source, { channel: false });
  if (shipment.kind === "generator") {
    throw new TypeError(generatorRefusal(id));
  }
  return shipment;
}

function generatorRefusal(id: string): string {
  return `Cannot call on gateway "${id}": a generator function gives items to stream()`;
}

/** The fragment of a URL names the export. */
function exportOf(id: string, url: URL): string {
  try {
    return decodeURIComponent(url.hash.slice(1)) || "default";
  } catch (cause) {
    throw new TypeError(
      `Cannot call on gateway "${id}": the fragment of "${url}" does not name an export: it cannot be decoded`,
      { cause },
    );
  }
}

async function shipExport(
  shipping: Shipping,
  url: URL,
  wanted: string,
  signal: AbortSignal,
): Promise<Shipment> {
  const file = new URL(url);
  file.hash = "";
  const shipment = await shipping.shipModule(file, signal);
  return { ...shipment, module: { export: wanted, typescript: false } };
}

function shipText(text: string): Shipment {
  return {
    // An expression that ends as a statement does is meant all the same.
    text: `${TEXT_PREFIX}${dedent(text).replace(/[;\s]+$/, "")}\n)`,
    name: "",
    kind: "function",
    module: { export: "default", typescript: true },
    readStack: (stack) =>
      stack.replace(FIRST_LINE, (_, place, column) => `${place}${Number(column) - TEXT_PREFIX.length}`),
  };
}
