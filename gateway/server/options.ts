/** The options of the server: the one source of what is read, of its help, and of that of other commands that start it. */

/** An option of a command line. */
export interface ServerOption {
  /** As it is typed after `--`. */
  readonly name: string;
  /** What its value is called in the help; without it the option is a flag. */
  readonly value?: string;
  /** Whether it may be given more than once. */
  readonly repeatable?: boolean;
  /** What it does. */
  readonly tells: string;
}

/** What the server is for. */
export const SERVER_DESCRIPTION =
  `Serves gateways to whoever has the token: makeGateway("socket=HOST:PORT//...").
Each connection gets a Deno process of its own, which may do no more than --allow says.`;

/** All of them but for `--help`. */
export const SERVER_OPTIONS: readonly ServerOption[] = [
  {
    name: "listen",
    value: "[HOST:]PORT",
    tells: "where to listen; loopback without HOST, [::1]:PORT for IPv6, port 0 for any free one",
  },
  {
    name: "allow",
    value: "PERMISSION",
    repeatable: true,
    tells: "what connections may ask for: read=/srv, net=localhost:80, env=LANG, run, all, ...; " +
      "repeatable; nothing without it",
  },
  {
    name: "token-file",
    value: "FILE",
    tells: "the token; made if missing, - for one line of stdin " +
      "(default: execnet/token in your configuration folder)",
  },
  {
    name: "tls-cert",
    value: "FILE",
    tells: "certificate chain in PEM, for TLS; - for a line of stdin, in base64",
  },
  {
    name: "tls-key",
    value: "FILE",
    tells: "its private key in PEM; - for a line of stdin, in base64, behind the certificate",
  },
  {
    name: "insecure",
    tells: "listen beyond loopback without TLS: who can see the connection can take it over",
  },
  { name: "memory", value: "SIZE", tells: "the largest heap of a process, such as 512M" },
  { name: "max-connections", value: "N", tells: "processes at the same time (default 100)" },
  {
    name: "handshake-timeout",
    value: "MS",
    tells: "time for a connection to say what it wants (default 10000)",
  },
  { name: "end-with-stdin", tells: "end when standard input ends" },
];

const LEFT_COLUMNS = 28;
const RIGHT_COLUMNS = 92;

/** What `--help` prints. */
export function serverHelp(command: string): string {
  const rows = [...SERVER_OPTIONS, { name: "help", tells: "print this" } as ServerOption].flatMap(
    ({ name, value, tells }) => {
      const form = value === undefined ? `  --${name}` : `  --${name} ${value}`;
      return wrap(tells).map((line, i) => `${(i === 0 ? form : "").padEnd(LEFT_COLUMNS)}${line}`);
    },
  );
  const usage = `Usage: ${command} --listen [HOST:]PORT [OPTION]...`;
  return [usage, "", SERVER_DESCRIPTION, "", ...rows, ""].join("\n");
}

function wrap(text: string): string[] {
  const lines = [""];
  for (const word of text.split(" ")) {
    const last = lines.at(-1)!;
    if (last !== "" && last.length + word.length + 1 > RIGHT_COLUMNS) lines.push(word);
    else lines[lines.length - 1] = last === "" ? word : `${last} ${word}`;
  }
  return lines;
}
