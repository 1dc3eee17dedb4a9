/** Walks the steps of connecting for one spec: the way, the start, and what there is when it has started. */

import { ConnectError, XSpec } from "../../mod.ts";
import type { Gateway, Group } from "../../mod.ts";
import { probe, stepsOf } from "../../gateway/probe/mod.ts";
import type { Facts, Limit } from "../../gateway/probe/mod.ts";
import { amount, milliseconds } from "../units.ts";
import { adviceFor } from "./advice.ts";
import { ask } from "./inside.ts";
import { roundTrips, throughput } from "./measure.ts";
import type { AnyStep, Outcome, Told } from "./outcome.ts";
import { judge, questionsOf } from "./permissions.ts";
import { readStart } from "./start.ts";

/** How a spec is examined. */
export interface ExamineOptions extends Limit {
  /** Where the gateway is made; it stays there when all is well. */
  readonly group: Group;
  /** The gateway that it is to be started from, once that is there. */
  readonly hop?: Gateway | undefined;
  /** Milliseconds for the start, in which a Deno may have to be brought there. */
  readonly startTimeout: number;
  /** Told which step is under way. */
  under(step: AnyStep): void;
}

const BEHIND: readonly AnyStep[] = ["handshake", "permissions", "round trip", "throughput"];

/** Every step of a spec, as far as that alone tells. */
export function allSteps(spec: XSpec): readonly AnyStep[] {
  return [...stepsOf(spec), ...BEHIND];
}

/** Every step, skipped. */
export function* skipping(spec: XSpec, steps: readonly AnyStep[], why: string): Generator<Outcome> {
  for (const step of steps) yield { gateway: spec.id!, step, state: "skipped", found: why };
}

/** Walks the steps. Behind the first that fails, all are skipped. Rejects only with the reason of the signal. */
export async function* examine(spec: XSpec, options: ExamineOptions): AsyncGenerator<Outcome> {
  const { signal, timeout } = options;
  const left = [...allSteps(spec)];
  const done = new Set<AnyStep>();
  let from = performance.now();
  const outcome = (step: AnyStep, told: Told): Outcome => {
    const now = performance.now();
    const made = outcomeOf(spec.id!, step, { ms: now - from, ...told });
    from = now;
    const at = left.indexOf(step);
    if (at >= 0) left.splice(0, at + 1);
    done.add(step);
    return made;
  };
  const under = (): void => void (left.length > 0 && options.under(left[0]!));
  under();
  let facts: Facts = {};
  const probing = probe(spec, options.hop, { signal, timeout });
  for await (const [step, finding] of probing) {
    facts = { ...facts, ...finding.facts };
    yield outcome(step, finding);
    if (finding.state === "failed") return yield* skipping(spec, left, "");
    under();
  }
  let gateway: Gateway;
  try {
    gateway = await options.group.makeGateway(ofOneNode(spec), {
      signal,
      connectTimeout: options.startTimeout,
      stderr: "null",
    });
  } catch (error) {
    signal.throwIfAborted();
    const [step, told] = error instanceof ConnectError ? readStart(error, spec, done) : unknown(error);
    yield outcome(step, { ...told, facts: { ...facts, ...told.facts } });
    return yield* skipping(spec, left, "");
  }
  const limit = { signal, timeout };
  for (
    const [step, action] of [
      ["handshake", () => greeted(gateway, limit)],
      ["permissions", () => permissions(gateway, limit)],
      ["round trip", () => trips(gateway, limit)],
      ["throughput", () => passes(gateway, limit)],
    ] as const
  ) {
    under();
    try {
      const { advice, ...told } = { advice: [] as readonly string[], ...await action() };
      const made = outcome(step, told);
      yield advice.length === 0 ? made : { ...made, advice };
    } catch (error) {
      signal.throwIfAborted();
      yield outcome(step, { state: "failed", trouble: "exit", found: (error as Error).message });
      return yield* skipping(spec, left, "");
    }
  }
}

/** What no kind of failed start is, which is told all the same, and whatever comes behind it is skipped. */
function unknown(error: unknown): readonly [AnyStep, Told] {
  const found = error instanceof Error ? error.message : String(error);
  return ["handshake", { state: "failed", trouble: "exit", found }];
}

/** Where a spec asks for several nodes, one of them tells enough. */
function ofOneNode(spec: XSpec): XSpec {
  if ((spec.nodes ?? 1) === 1) return spec;
  return new XSpec(String(spec).split("//").filter((part) => !part.startsWith("nodes=")).join("//"));
}

function outcomeOf(gateway: string, step: AnyStep, { facts, ...told }: Told): Outcome {
  const { trouble } = told;
  return {
    gateway,
    step,
    ...told,
    // Microseconds are all that can be told apart.
    ...(told.ms === undefined ? {} : { ms: Math.round(told.ms * 1000) / 1000 }),
    ...(trouble === undefined ? {} : { advice: adviceFor(trouble, facts) }),
  };
}

type Done = Told & { readonly advice?: readonly string[] };

async function greeted(gateway: Gateway, limit: Limit): Promise<Done> {
  const { pid, deno, os, arch, cwd } = await gateway.remoteInfo(limit);
  return { state: "ok", found: `process ${pid}, Deno ${deno} on ${os} ${arch}, in ${cwd}` };
}

async function permissions(gateway: Gateway, limit: Limit): Promise<Done> {
  const { permissions } = gateway.spec;
  const questions = questionsOf(permissions);
  return judge(permissions, questions, await ask(gateway, questions, limit));
}

async function trips(gateway: Gateway, limit: Limit): Promise<Done> {
  const { min, median, p95, count } = await roundTrips(gateway, limit);
  const found = `median ${milliseconds(median)}, from ${milliseconds(min)}, 95 % within ${
    milliseconds(p95)
  } (${count})`;
  return { state: "ok", found, values: { count, min, median, p95 } };
}

async function passes(gateway: Gateway, limit: Limit): Promise<Done> {
  const { up, down } = await throughput(gateway, limit);
  const found = `${amount(up, "bytes")}/s there, ${amount(down, "bytes")}/s back`;
  return { state: "ok", found, values: { up, down } };
}
