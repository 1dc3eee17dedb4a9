/** What a program tells OpenTelemetry of its gateways. Loaded only where that is on. */

import { registered } from "../process/otel.ts";
import { GatewayTelemetry } from "./gateway_telemetry.ts";
import type { WatchedGateway } from "./gateway_telemetry.ts";
import { Reporter } from "./reporter.ts";

/** One for all gateways, for each name is to be one instrument. */
const REPORTER = new Reporter(registered() ?? {});

/** Begins with a gateway whose start began at `since`, in milliseconds since 1970. */
export function watchGateway(gateway: WatchedGateway, since: number): GatewayTelemetry {
  return new GatewayTelemetry(REPORTER, gateway, since);
}
