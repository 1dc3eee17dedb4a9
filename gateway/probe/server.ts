/** `socket`: name, port, TLS, token, and whether each side proves it to the other. */

import { ConnectProblem } from "../errors.ts";
import { formatAddress, parseAddress } from "../socket/address.ts";
import { importToken } from "../socket/proof.ts";
import { defaultTokenPath } from "../socket/token.ts";
import { dialHere, dialThrough, meet, readCertificates, readToken } from "../transport/socket.ts";
import { failed, well } from "./finding.ts";
import type { Facts, Finding, Trouble } from "./finding.ts";
import { LATE } from "./limit.ts";
import { dialed, probeName, probePort, unreachable } from "./network.ts";
import type { Place, Probed } from "./place.ts";

/** Walks the steps, up to the first that fails. */
export async function* probeServer(place: Place): AsyncGenerator<Probed> {
  const { spec, hop, starter } = place;
  const address = parseAddress(spec.socket!)!;
  const where = formatAddress(address);
  const dial = hop === undefined ? dialHere : dialThrough(hop, starter);
  const path = spec.tokenFile ?? defaultTokenPath() ?? "";
  const facts: Facts = {
    host: address.host,
    port: String(address.port),
    where,
    token: path,
    ca: spec.tlsCa ?? "",
  };
  const went = function (step: Probed[0], finding: Finding): Probed {
    return [step, { ...finding, facts: { ...facts, ...finding.facts } }];
  };
  if (hop === undefined) {
    const name = await probeName(address.host, place);
    yield went("name", name);
    if (name.state === "failed") return;
  }
  const port = await probePort(address, place, dial);
  yield went(port.trouble === "no-address" ? "name" : "port", port);
  if (port.state === "failed") return;
  let certificates: string[] | undefined;
  if (spec.tls) {
    const tls = await attempt(place, async () => {
      certificates = spec.tlsCa === undefined ? [] : [readCertificates(spec.tlsCa)];
      const done = await dialed(place, dial, { address, certificates }, () => Promise.resolve());
      if (done === LATE) return failed("silent", `${where} does not answer with TLS`);
      return well(`the certificate is trusted${spec.tlsCa === undefined ? "" : `, by ${spec.tlsCa}`}`);
    }, (problem) => whyNoTls(problem, address));
    yield went("tls", tls);
    if (tls.state === "failed") return;
  }
  let text = "";
  const token = await attempt(place, () => {
    text = readToken(spec.tokenFile);
    return Promise.resolve(well(path));
  }, ({ message }) => failed("no-token", message));
  yield went("token", token);
  if (token.state === "failed") return;
  yield went(
    "proof",
    await attempt(place, async () => {
      const key = await importToken(text);
      const met = await dialed(
        place,
        dial,
        { address, certificates },
        (link) => meet(link, key, where, spec.tls),
      );
      if (met === LATE) return failed("silent", `${where} takes the connection and says nothing`);
      return well("both sides have the token");
    }, whyNotMet),
  );
}

async function attempt(
  { signal }: Place,
  action: () => Promise<Finding>,
  why: (problem: ConnectProblem) => Finding,
): Promise<Finding> {
  try {
    return await action();
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof ConnectProblem) return why(error);
    if (error instanceof Deno.errors.NotCapable) throw error;
    return failed("exit", (error as Error).message);
  }
}

function whyNoTls(problem: ConnectProblem, address: Parameters<typeof unreachable>[1]): Finding {
  const { kind, message } = problem;
  if (kind === "noise") return failed("no-tls", message);
  if (kind !== "auth") return unreachable(problem, address);
  return failed(message.startsWith("tls_ca") ? "ca-file" : "not-trusted", message);
}

function whyNotMet({ kind, message }: ConnectProblem): Finding {
  const troubles: Partial<Record<typeof kind, Trouble>> = { auth: "other-token", version: "other-version" };
  const trouble = troubles[kind] ?? (/it says TLS/.test(message) ? "tls-wanted" : "not-server");
  return failed(kind === "noise" ? trouble : troubles[kind] ?? "exit", message);
}
