/** `ssh`: configuration, name, port, host key, login, and what is at the other end. */

import { quoteWord } from "../../xspec/mod.ts";
import { OLDEST_DENO } from "../process/versions.ts";
import { READ_LINE_BY_SH } from "../shell/far_script.ts";
import { platform } from "../shell/provision.ts";
import { sshCommand } from "../ssh/reach.ts";
import { readSshWords } from "../ssh/words.ts";
import { ask } from "./ask.ts";
import { failed, well } from "./finding.ts";
import type { Facts, Finding } from "./finding.ts";
import { lookLine, readLook } from "./look.ts";
import { probeName, probeSshPort } from "./network.ts";
import { askThere, denoWords } from "./place.ts";
import type { Place, Probed } from "./place.ts";
import { readConfig } from "./ssh_config.ts";
import type { SshConfig } from "./ssh_config.ts";
import { ownWords, whyNot } from "./ssh_reasons.ts";
import { readLogin } from "./ssh_steps.ts";

/** Walks the steps, up to the first that fails. */
export async function* probeSsh(place: Place): AsyncGenerator<Probed> {
  const { spec } = place;
  const words = readSshWords(spec);
  const byHand = ["ssh", ...words.options, words.destination].map(quoteWord).join(" ");
  const asked = await askThere(place, ["ssh", "-G", ...words.options, words.destination]);
  const config = asked.code === 0 ? readConfig(asked.stdout) : undefined;
  const given: Facts = { ssh: byHand, destination: words.destination, program: "ssh" };
  if (config === undefined) {
    yield ["config", badConfig(asked, given)];
    return;
  }
  const { hostname: host, port, user } = config;
  const facts: Facts = { ...given, ...factsOf(config) };
  const between = config.jump !== undefined
    ? ` through ${config.jump}`
    : config.proxy !== undefined
    ? ` through "${config.proxy}"`
    : "";
  yield ["config", well(`${words.destination} is ${user}@${host}, port ${port}${between}`)];
  const known = new Set<string>();
  // From where another gateway runs, and through programs, ssh alone knows the way.
  if (place.hop === undefined && config.proxy === undefined && !await sharesConnection(place, config)) {
    for await (
      const probed of config.jump === undefined ? straight(place, config) : jumping(place, config, facts)
    ) {
      known.add(probed[0]);
      yield [probed[0], { ...probed[1], facts: { ...facts, ...probed[1].facts } }];
      if (probed[1].state === "failed") return;
    }
  }
  for await (const [step, finding] of loggingIn(place, facts, known)) {
    const byProxy = step === "port" && finding.state === "failed" && config.proxy !== undefined;
    yield [step, byProxy ? badProxy(place, config, finding, facts) : { facts, ...finding }];
  }
}

function badProxy({ hop }: Place, { proxy }: SshConfig, finding: Finding, facts: Facts): Finding {
  return {
    ...finding,
    trouble: "proxy",
    // A command that a configuration over there has is none to be typed here.
    facts: hop === undefined ? { ...facts, proxy: proxy! } : facts,
    found: "the ProxyCommand leads to no SSH server",
  };
}

/** What advice has to name, from the configuration. */
function factsOf({ hostname: host, port, user, keyName, known }: SshConfig): Facts {
  return { host, port, user, keyName, ...(known === undefined ? {} : { known }) };
}

function badConfig({ code, late, stderr }: Awaited<ReturnType<typeof ask>>, facts: Facts): Finding {
  if (late) return failed("late", "ssh does not say what it would do", { facts });
  if (code === 127) return failed("no-program", "there is no ssh", { facts, words: stderr.trim() });
  return failed("config", "ssh cannot make sense of its configuration", { facts, words: ownWords(stderr) });
}

/** Whether the user keeps a connection open, over which no step has to be gone again. */
async function sharesConnection(place: Place, { shared }: SshConfig): Promise<boolean> {
  if (shared === undefined) return false;
  const { options, destination } = readSshWords(place.spec);
  return (await askThere(place, ["ssh", "-O", "check", ...options, destination])).code === 0;
}

async function* straight(place: Place, { hostname: host, port }: SshConfig): AsyncGenerator<Probed> {
  let from = performance.now();
  const took = (finding: Finding): Finding => {
    const ms = performance.now() - from;
    from += ms;
    return { ...finding, ms };
  };
  const name = took(await probeName(host, place));
  yield ["name", name];
  if (name.state !== "failed") yield ["port", took(await probeSshPort({ host, port: Number(port) }, place))];
}

/** Goes to the last of the hosts in between, as ssh does it, and has that connect to the host itself. */
async function* jumping(place: Place, config: SshConfig, facts: Facts): AsyncGenerator<Probed> {
  const jumps = config.jump!.split(",");
  const [, user, host, port] =
    /^(?:(.*)@)?(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(jumps.at(-1)!.replace(/^ssh:\/\//, "")) ??
      [];
  const file = readSshWords(place.spec).config;
  const destination = host?.replace(/^\[(.*)\]$/, "$1") ?? config.jump!;
  const options = [
    ...(file === undefined ? [] : ["-F", file]),
    ...(user === undefined ? [] : ["-l", user]),
    ...(port === undefined ? [] : ["-p", port]),
    ...(jumps.length === 1 ? [] : ["-J", jumps.slice(0, -1).join(",")]),
  ];
  const target = `[${config.hostname}]:${config.port}`;
  const command = sshCommand({ options: [...options, "-W", target], destination, config: file }, ["-v"]);
  const answer = await ask({
    open: (signal) => place.starter.start(command, { signal }),
    enough: (stdout) => stdout.includes("\n"),
    signal: place.signal,
    timeout: place.timeout,
  });
  const greeting = /^SSH-.*$/m.exec(answer.stdout)?.[0]?.trim();
  if (greeting !== undefined) {
    yield ["jump", well(`${destination} leads on`)];
    yield ["name", well(`${config.hostname}, as ${destination} knows it`, 0)];
    yield ["port", well(`port ${config.port}: ${greeting}`, 0)];
    return;
  }
  const asked = readConfig((await askThere(place, ["ssh", "-G", ...options, destination])).stdout);
  const own = asked === undefined ? {} : factsOf(asked);
  const byHand = ["ssh", ...options, destination].map(quoteWord).join(" ");
  const inside = /Authenticated to |Entering interactive session|mux_client_request_stdio_fwd/.test(
    answer.stderr,
  );
  if (!inside) {
    const why = answer.late
      ? failed("late", `${destination} does not answer`, { words: ownWords(answer.stderr) })
      : whyNot(answer, { ...facts, ...own, destination, ssh: byHand });
    yield ["jump", { ...why, found: `${destination}: ${why.found}` }];
    return;
  }
  yield ["jump", well(`${destination} lets in`)];
  yield ["port", {
    ...failed("jump", `${destination} does not reach ${config.hostname} port ${config.port}`),
    words: ownWords(answer.stderr),
    facts: { ...facts, ssh: byHand },
  }];
}

/** Logs in once, and has the shell there look for Deno. */
async function* loggingIn(place: Place, facts: Facts, known: ReadonlySet<string>): AsyncGenerator<Probed> {
  const { spec } = place;
  const look = {
    deno: denoWords(spec, "deno"),
    oldest: OLDEST_DENO,
    provision: spec.provision ? platform() : undefined,
    login: true,
    facts,
  };
  const command = [...sshCommand(readSshWords(spec), ["-v"]), READ_LINE_BY_SH];
  const answer = await ask({
    open: (signal) => place.starter.start(command, { signal }),
    input: lookLine(look),
    signal: place.signal,
    timeout: place.timeout,
  });
  const steps = readLogin(answer, facts);
  for (const [step, finding] of steps) {
    if (known.has(step) && finding.state !== "failed") continue;
    yield [step, finding];
    if (finding.state === "failed") return;
  }
  const { shell, deno } = readLook(look, answer);
  const words = [shell.words ?? "", shell.state === "failed" ? ownWords(answer.stderr) : ""].filter((text) =>
    text !== ""
  );
  const login = steps.reduce((sum, [, { ms = 0 }]) => sum + ms, 0);
  const took = shell.ms === undefined ? {} : { ms: Math.max(0, shell.ms - login) };
  yield ["shell", { ...shell, ...took, ...(words.length === 0 ? {} : { words: words.join("\n") }) }];
  if (deno !== undefined) yield ["deno", deno];
}
