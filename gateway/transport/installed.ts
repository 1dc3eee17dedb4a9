/** `installvia`: a server that a gateway starts, on a free port, for one socket gateway of this program's. */

import { within } from "../../channel/wait.ts";
import { DENO_ON_PATH } from "../../xspec/mod.ts";
import { ConnectProblem } from "../errors.ts";
import { Output } from "../output.ts";
import { linkTransport, scriptUrl } from "../process/link.ts";
import type { Program } from "../process/program.ts";
import { SHELL } from "../shell/command.ts";
import { lineWord } from "../shell/far_script.ts";
import type { Address } from "../socket/address.ts";
import { formatAddress, parseAddress } from "../socket/address.ts";
import { makeCertificate } from "../socket/certificate.ts";
import { makeToken } from "../socket/token.ts";
import { hopStarter } from "./via.ts";
import type { Hop } from "./via.ts";

/** A server, and what it takes to be let in. */
export interface Installed {
  readonly address: Address;
  readonly token: string;
  /** The certificate to trust, where others could see the connection. */
  readonly cert: string | undefined;
  /** Ends the server, and with it all that it has started. */
  stop(): void;
  /** Why the server has ended, where that was the way to it. */
  lost(): Promise<string | undefined>;
}

/** The first code over there: it reads the server's script (4 bytes of length before it) and leaves the rest of stdin to it. */
const STAGE =
  `const r=async n=>{const b=new Uint8Array(n);for(let o=0;o<n;){const c=await Deno.stdin.read(b.subarray(o));if(c===null)Deno.exit(1);o+=c}return b};
const t=await r(new DataView((await r(4)).buffer).getUint32(0));
await import(URL.createObjectURL(new Blob([t],{type:"text/javascript"})))`;

const MAX_LINE_BYTES = 4096;

/** How soon after the end of a connection the way to its server is known to have ended, on a busy machine too. */
const LOST_TIMEOUT_MS = 2_000;

/** Starts a server through a gateway and waits until it listens. */
export async function installServer(hop: Hop, signal: AbortSignal): Promise<Installed> {
  const { default: script } = await import("../../agent.js", { with: { type: "text" } });
  const host = hop.address ?? "127.0.0.1";
  const certificate = hop.address === undefined ? undefined : await makeCertificate(host);
  const token = makeToken();
  const listen = formatAddress({ host: listenHost(host), port: 0 });
  const args = ["--listen", listen, "--token-file", "-", "--allow", "all", "--end-with-stdin"];
  if (certificate !== undefined) args.push("--tls-cert", "-", "--tls-key", "-");
  const command = [
    ...[hop.executable ?? "deno", "run", "--quiet", "--no-config", "--no-lock", "--allow-all"],
    scriptUrl(STAGE),
    ...args,
  ];
  const line = `${DENO_ON_PATH};exec ${command.map(lineWord).join(" ")}`;
  const secrets = [
    ...certificate === undefined ? [] : [btoa(certificate.cert), btoa(certificate.key)],
    token,
  ];
  const program = await hopStarter(hop).start(SHELL, { signal });
  program.keepAlive(false);
  const stop = (): void => {
    program.kill();
    program.link.close();
  };
  const output = new Output("null", "", program.output!);
  signal.addEventListener("abort", stop, { once: true });
  try {
    signal.throwIfAborted();
    await linkTransport(program.link).write(flight(line, script as unknown as string, secrets), false);
    const port = await readPort(program);
    if (port === undefined) {
      signal.throwIfAborted();
      const { code } = await program.ended;
      await output.ended;
      throw new ConnectProblem(
        code === 127 ? "no-deno" : "exit",
        `gateway "${hop.id}" could not start a server: it ended with code ${code}`,
        { details: { exitCode: code, stderrTail: output.tail } },
      );
    }
    return {
      address: { host, port },
      token,
      cert: certificate?.cert,
      stop,
      lost: async () => (await within(program.ended, LOST_TIMEOUT_MS))?.reason,
    };
  } catch (error) {
    stop();
    throw error;
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

/** A name may have several addresses over there: all are listened on. */
function listenHost(host: string): string {
  if (host === "localhost" || host === "::1" || host.startsWith("127.")) return host;
  return host.includes(":") ? "::" : "0.0.0.0";
}

/** The line for the shell, the script with its length, and the lines that the server reads. */
function flight(line: string, script: string, secrets: readonly string[]): Uint8Array {
  const encoder = new TextEncoder();
  const text = encoder.encode(script);
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, text.length);
  const parts = [encoder.encode(`${line}\n`), length, text, encoder.encode(`${secrets.join("\n")}\n`)];
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** The port in the server's first line; undefined where it has ended without one. */
async function readPort(program: Program): Promise<number | undefined> {
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(MAX_LINE_BYTES);
  let text = "";
  while (text.length < MAX_LINE_BYTES) {
    const address = /listening on (\S+)[^\n]*\n/.exec(text)?.[1];
    if (address !== undefined) return parseAddress(address)?.port;
    const count = await program.link.read(buffer);
    if (count === null) return undefined;
    text += decoder.decode(buffer.subarray(0, count), { stream: true });
  }
  return undefined;
}
