/** Loads what looks at code before it is sent, while a gateway starts. */

import type { Shipping } from "./shipping/shipping.ts";

/**
 * The parsers are heavy, so that importing this library must not load them; and functions are refused at once, so that
 * they must be there when a gateway is. Where they cannot be had, e.g. under `--no-npm`, only text can be executed.
 */
export async function loadShipping(): Promise<Shipping> {
  try {
    return (await import("./shipping/shipping.ts")).shipping;
  } catch (cause) {
    const refuse = (): never => {
      const [why] = (cause as Error).message.split("\n");
      throw new TypeError(`Cannot ship code: the npm packages that look at it cannot be loaded: ${why}`, {
        cause,
      });
    };
    return { shipFunction: refuse, shipModule: () => new Promise(refuse) };
  }
}
