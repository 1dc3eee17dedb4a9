/** What to do about the library's errors. */

import {
  ConnectError,
  type ConnectErrorKind,
  DumpError,
  EOFError,
  GatewayClosedError,
  HostNotFoundError,
  LoadError,
  ProtocolError,
  RemoteError,
  TimeoutError,
  XSpecError,
} from "../mod.ts";
import { exitCodeOf } from "./ending.ts";
import { EXIT, Failure } from "./failure.ts";
import { oneLine, plain } from "./plain.ts";

const CONNECTING: Readonly<Record<ConnectErrorKind, string>> = {
  host: "Check the name: `getent hosts NAME` shows whether this machine knows an address for it",
  refused: "Check that the other side runs and listens there, and that no firewall is between: " +
    "`execnet doctor SPEC` looks at each step",
  auth:
    "Nobody can type a password here: load the key by `ssh-add`; `ssh -o BatchMode=yes HOST true` has to work",
  hostkey: "Connect once by `ssh HOST` and compare the key; if the host was set up anew, " +
    "`ssh-keygen -R HOST` forgets the old one",
  "no-deno":
    "Install Deno there, say where it is by deno=PATH, or add the key provision: then this machine's is uploaded",
  version: "Both sides need the same version of execnet: start the other side from this one's files",
  noise: "Something answers that is no gateway: a login script that prints, another program on that port, " +
    "or a missing or needless key tls",
  timeout: "--connect-timeout MS waits longer; `execnet doctor SPEC` shows which step takes so long",
  exit: "`execnet doctor SPEC` shows which step fails",
};

/** Servers have other secrets than ssh. */
const AUTH_OF_SOCKETS =
  "token_file= names a copy of the server's token, tls_ca= the certificate that vouches for it";

const TYPES =
  "A spec begins with what to start: popen, worker, ssh=HOST, socket=HOST:PORT, podman=BOX, command=…";

const ENDED_ITSELF = "Code there ended its own process, e.g. by Deno.exit";

/** What is told of an error: what failed, what to do, and the exit code. */
export function explain(error: unknown): Failure {
  if (error instanceof Failure) return error;
  const [advice, code] = adviceFor(error);
  const message = error instanceof RemoteError
    ? formatted(error)
    : oneLine(error instanceof Error ? error.message || error.name : String(error));
  return new Failure(message, advice, code, { cause: error });
}

/** An error of the code with its stack. How an execution was ended has none that would say more. */
function formatted(error: RemoteError): string {
  const { remoteName, remoteMessage } = error;
  const ended = /^The (?:process of the )?execution (?:took longer|ended)/.test(remoteMessage);
  if (ended || remoteName === "AbortError" || remoteName === "Killed") return oneLine(remoteMessage);
  const lines = plain(error.formatted).split("\n");
  return lines.filter((line) => !/^\s+at .*(?:execnet:agent|\bext:)/.test(line)).join("\n");
}

function adviceFor(error: unknown): [advice: string, code: number] {
  if (error instanceof XSpecError) return [adviceForSpec(error), EXIT.usage];
  if (error instanceof HostNotFoundError) return [CONNECTING.host, EXIT.unreachable];
  if (error instanceof ConnectError) {
    const socket = /^Cannot start gateway "[^"]*" \((?:[^)]*\/\/)?socket\b/.test(error.message);
    return [socket && error.kind === "auth" ? AUTH_OF_SOCKETS : CONNECTING[error.kind], EXIT.unreachable];
  }
  if (error instanceof GatewayClosedError) return adviceForEnd(error);
  if (error instanceof RemoteError) return [adviceForRemote(error), exitCodeOf(error) || EXIT.failed];
  if (error instanceof DumpError) {
    return ["Items are plain data: no functions, symbols, instances of classes or cycles", EXIT.failed];
  }
  if (error instanceof LoadError || error instanceof ProtocolError) {
    return ["The other side sends what it should not: are both of the same version of execnet?", EXIT.failed];
  }
  if (error instanceof TimeoutError) return ["A longer time limit waits longer", EXIT.failed];
  if (error instanceof EOFError) {
    return ["The other side has ended; what it printed last may say why", EXIT.failed];
  }
  if (error instanceof Deno.errors.NotFound) return ["Check the path", EXIT.failed];
  if (error instanceof Deno.errors.NotCapable) return [adviceForHere(error), EXIT.failed];
  if (error instanceof Deno.errors.PermissionDenied) {
    return ["Check who may read and write that", EXIT.failed];
  }
  if (error instanceof Error && /^Cannot ship module "https?:/.test(error.message)) {
    return ["Check the address, and that this machine can reach it", EXIT.failed];
  }
  if (error instanceof TypeError || error instanceof RangeError) return ["See --help", EXIT.failed];
  return ["EXECNET_DEBUG=2 in the environment shows all that passes", EXIT.failed];
}

function adviceForSpec({ key, message, spec }: XSpecError): string {
  if (key === undefined) {
    if (/^\d+\*/.test(spec)) return "A factor is for map, which takes many gateways: leave it out";
    return message.includes("gateway type") ? TYPES : 'Keys are joined by "//": popen//allow-read=/srv';
  }
  if (/^(allow|deny)/.test(key)) {
    return "A permission is allow-NAME or deny-NAME, for all or with =LIST: allow-read=/srv,/data//allow-env";
  }
  switch (key) {
    case "via":
    case "installvia":
      return "--hop SPEC//id=NAME starts the gateway that another one is started from";
    case "id":
      return "Leave the id out, or give each gateway another one";
    case "python":
      return "deno= says which Deno runs there; Python is not needed";
    default:
      return "docs/gateways.md lists the keys of a spec, and what their values are";
  }
}

function adviceForEnd(error: GatewayClosedError): [string, number] {
  const code = exitCodeOf(error);
  if (code === undefined) {
    return ["The connection broke; `execnet doctor SPEC` looks at each step", EXIT.unreachable];
  }
  if (error.signal === "SIGKILL") {
    return ["Somebody killed the process there, perhaps the system for lack of memory", code];
  }
  if (error.signal === "SIGTRAP" || error.signal === "SIGABRT" || code === 133 || code === 134) {
    return ["The process there ran out of memory, or was killed; memory=2G in the spec allows it more", code];
  }
  return [ENDED_ITSELF, code || EXIT.failed];
}

const ACCESS = /Requires (read|write|net|env|run|sys|ffi|import) access(?: to ("[^"]*"|<[^>]*>))?/;

/** What stands in the stack is all there is to say, but for permissions, which are the spec's. */
function adviceForRemote(error: RemoteError): string {
  const { remoteName, remoteMessage } = error;
  if (remoteName === "NotCapable") {
    if (/^Requires all access/.test(remoteMessage)) return "To allow that, add allow-all to the spec";
    const [, name, subject] = ACCESS.exec(remoteMessage) ?? [];
    if (name === undefined) return "The spec says what the code may do: add the permission to it";
    const item = subject?.startsWith('"') ? subject.slice(1, -1) : "";
    const value = item === "" || item.includes(",") ? "" : `=${item.replace(/%(?=2F|25)/gi, "%25")}`;
    return `To allow that, add allow-${name}${value} to the spec`;
  }
  if (remoteName === "TimeoutError") return "--timeout MS gives the execution more time";
  if (/ended its own Worker/.test(remoteMessage)) {
    return "With execmodel=process in the spec the exit code is passed on";
  }
  return exitCodeOf(error) === undefined ? "" : ENDED_ITSELF;
}

function adviceForHere({ message }: Error): string {
  return /add allow-/.test(message)
    ? "Permissions for the target are keys of its spec"
    : "The command itself needs that permission: run it by deno run -A";
}
