/**
 * The steps of connecting, tried one by one with what gateways use themselves. For `execnet doctor`; no part of the
 * public surface.
 *
 * @module
 */

export { quoteWord } from "../../xspec/mod.ts";
export type { Facts, Finding, Step, Trouble } from "./finding.ts";
export type { Limit } from "./limit.ts";
export type { Probed } from "./place.ts";
export { checkSpecs, probe, shown, stepsOf } from "./probe.ts";
