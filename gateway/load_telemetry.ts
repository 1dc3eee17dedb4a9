/** Loads what tells OpenTelemetry of gateways, where that is on. */

import type { GatewayTelemetry, WatchedGateway } from "./telemetry/gateway_telemetry.ts";
import { registered } from "./process/otel.ts";

/**
 * Begins to watch a gateway that is being started. Where OpenTelemetry is off there is nothing, and nothing is loaded.
 * Nor is there where it cannot be loaded: no gateway fails for want of that.
 */
export function watchGateway(gateway: WatchedGateway): Promise<GatewayTelemetry | undefined> | undefined {
  if (registered() === undefined) return undefined;
  const since = performance.timeOrigin + performance.now();
  return import("./telemetry/telemetry.ts")
    .then((module) => module.watchGateway(gateway, since))
    .catch(() => undefined);
}
