/** How troubles are mended, in commands to type. Pure. */

import { quoteWord } from "../../gateway/probe/mod.ts";
import type { Facts, Trouble } from "../../gateway/probe/mod.ts";

/** What is to be done; `facts` names the host, the port and so on, as far as they are known. */
export function adviceFor(trouble: Trouble, facts: Facts = {}): readonly string[] {
  return ADVICE[trouble]((name, otherwise = name.toUpperCase()) => {
    const fact = facts[name];
    if (!fact) return otherwise;
    return TEXTS.has(name) ? fact : quoteWord(fact);
  });
}

/**
 * A fact by its name, or what stands for it where it is not known. It is one word for a shell, because others, who may be
 * hostile, have named hosts, users and paths, and advice is typed.
 */
type Say = (name: string, otherwise?: string) => string;

/** What is no word of a command: commands that are made of quoted words, and what stands in sentences only. */
const TEXTS: ReadonlySet<string> = new Set([
  ...["ssh", "prefix", "proxy", "deno", "wanted"],
  ...["hint", "methods", "fingerprint", "platform", "local", "program"],
]);

const VERBOSE = "EXECNET_DEBUG=2 execnet info SPEC shows all that passes";
const INSTALL = "curl -fsSL https://deno.land/install.sh | sh";

/** A command for a shell over there, to be typed here. */
function there(say: Say, command: string): string {
  // ssh joins its words for the login shell; others hand them on as they are.
  if (say("ssh", "") !== "") return `${say("ssh")} '${command}'`;
  return `${say("prefix", "")} sh -c '${command}'`.trim();
}

/** A command of ssh's with an option more, which counts before the others. */
function withOption(ssh: string, option: string): string {
  return ssh.replace(/^ssh /, `ssh -o ${option} `);
}

/** The option that names the file of known hosts, unless it is the usual one. */
function known(say: Say): string {
  const file = say("known", "");
  return file === "" || /\/\.ssh\/known_hosts$/.test(file) ? "" : `-f ${file} `;
}

/** What is to be said where the server would take what nobody can type. */
function passwords(say: Say): string[] {
  if (!/password|keyboard-interactive/.test(say("methods", ""))) return [];
  return [
    "The server would take a password as well, but nobody is there to type it for a gateway: use a key",
  ];
}

/** How programs are installed whose packages have other names. */
const PACKAGES: Readonly<Record<string, string>> = {
  ssh: "openssh-client",
  podman: "podman",
  docker: "docker.io",
  kubectl: "kubernetes-client",
  srun: "slurm-client",
  salloc: "slurm-client",
};

const ADVICE: Readonly<Record<Trouble, (say: Say) => readonly string[]>> = {
  permission: (say) => [`Give this program what it lacks: deno run -A …; ${say("hint", "see the README")}`],
  late: () => [
    "Give it more time: --connect-timeout 60000",
    "If that does not help, something between here and there drops what is sent: a firewall, a VPN that is off",
  ],
  exit: () => [VERBOSE],
  hop: (
    say,
  ) => [
    `The gateway in between has ended, or may not do this: examine it alone, execnet doctor ${
      say("hop", "SPEC")
    }`,
  ],
  flag: () => [
    "Start the program that makes the gateway with the flag: deno run --unstable-worker-options …",
    'or write into its deno.json: "unstable": ["worker-options"]',
    "or use popen, which needs no flag and is a real wall; or worker//allow-all, if the code may do all that its program may",
  ],
  "no-program": (say) => {
    const program = say("program");
    const known = program.split(", ").map((name) => PACKAGES[name]).find((name) => name !== undefined);
    return [
      known === undefined
        ? `Install ${program}, or write its full path into the spec`
        : `Install it: apt-get install ${known} (or what your system has for it)`,
      "If it is installed, its folder is missing in PATH: echo $PATH",
    ];
  },
  config: (
    say,
  ) => [
    `Let ssh say it: ${say("ssh", "ssh HOST")} -v`,
    "The file is ~/.ssh/config, or that of ssh_config=… in the spec",
  ],
  "no-address": (say) => [
    `Is it spelt right? getent hosts ${say("host")}`,
    `If it is a short name, write the full one, or give it an entry in ~/.ssh/config: Host ${
      say("destination", say("host"))
    }, HostName ADDRESS`,
    "Are you in the right network, or is the VPN off?",
  ],
  "port-closed": (say) =>
    say("where", "") === ""
      ? [
        `The host is up, and nothing listens at port ${
          say("port")
        }. Is the server running? On the host: systemctl start ssh; ss -ltn`,
        `Is it another port? ssh=-p PORT ${say("destination", "HOST")}, or Port in ~/.ssh/config`,
      ]
      : [
        `The host is up, and nothing listens at port ${
          say("port")
        }. On the host: ss -ltn; deno run -A agent.ts --listen ${say("port")}`,
        "Without a host, --listen is for that machine alone: --listen 0.0.0.0:PORT --tls-cert … --tls-key … is for others",
      ],
  "port-silent": (say) => [
    `Nothing comes back from port ${say("port")}: a firewall drops it, or the host is down. Try nc -vz ${
      say("host")
    } ${say("port")}`,
    "Is the port right, and is the VPN on?",
  ],
  "no-route": (
    say,
  ) => [`Is there a way? ip route get ${say("host")}; ping ${say("host")}`, "Is the VPN on, is the host up?"],
  "not-ssh": (
    say,
  ) => [`Port ${say("port")} belongs to another server: write the right one, ssh=-p PORT ${say("host")}`],
  dropped: (say) => [
    `The server hangs up before the login: it may be overloaded (MaxStartups), or has banned this address (fail2ban, hosts.deny). On the host: journalctl -u ssh -n 20`,
    `Try again in a minute: ${say("ssh", "ssh HOST")} -v`,
  ],
  jump: (say) => [
    `From there: ${say("ssh", "ssh JUMP")} nc -vz ${say("host")} ${say("port")}`,
    "The host in between has to allow it: AllowTcpForwarding yes in its sshd_config",
  ],
  proxy: (say) => [
    `Try it by hand (%h is ${say("host")}, %p is ${say("port")}); it has to print "SSH-2.0…": ${
      say("proxy", "the ProxyCommand")
    }`,
  ],
  "key-changed": (say) => [
    `Ask whoever runs the host whether its key was changed; it shows ${say("fingerprint", "another one")}`,
    `If so, forget the old one and look at the new one: ssh-keygen ${known(say)}-R ${
      say("keyName", say("host"))
    }; ${say("ssh", "ssh HOST")}`,
    "If not, somebody stands between you and the host: do not go on",
  ],
  "key-unknown": (say) => [
    `Log in once by hand, compare the key with what whoever runs the host says, and accept it: ${
      withOption(say("ssh", "ssh HOST"), "StrictHostKeyChecking=ask")
    }`,
    `It shows ${say("fingerprint", "a key of its own")}`,
  ],
  "login-refused": (say) => [
    `Put the key on the host, by a login that works: ssh-copy-id -i ${say("key", "KEY")}.pub -p ${
      say("port", "22")
    } ${say("user")}@${say("host")}`,
    `Is ${say("user")} the right user? ssh=USER@${say("destination", "HOST")}`,
    `Is it the right key? ssh=-i KEY ${
      say("destination", "HOST")
    }; on the host, journalctl -u ssh -n 20 says what it does not like`,
    ...passwords(say),
  ],
  "no-key": (say) => [
    "Which keys are there? ls ~/.ssh/id_*; ssh-add -l",
    `Make one and put it there: ssh-keygen -t ed25519; ssh-copy-id -p ${say("port", "22")} ${say("user")}@${
      say("host")
    }`,
    `Or name it: ssh=-i KEY ${say("destination", "HOST")}`,
    ...passwords(say),
  ],
  "key-locked": (say) => [
    `Give it to the agent, which asks once: eval $(ssh-agent); ssh-add ${say("key", "KEY")}`,
  ],
  "more-factors": (say) => [
    `A key alone has to do: whoever runs the host changes AuthenticationMethods for ${
      say("user", "the user")
    }`,
    `or keep a connection open that you log in to by hand, and which gateways then share: ${
      withOption(say("ssh", "ssh HOST"), "ControlMaster=yes")
    } -o ControlPath=~/.ssh/%C -fN, and the same ControlPath in ~/.ssh/config`,
  ],
  "key-open": (say) => [`Close it: chmod 600 ${say("key", "KEY")}`],
  "too-many-keys": (say) => [
    `Offer the right one only: ssh=-i KEY -o IdentitiesOnly=yes ${say("destination", "HOST")}`,
    "What the agent holds: ssh-add -l",
  ],
  "no-tls": (say) => [
    `If the server speaks no TLS, leave "tls" out of the spec; beyond this machine it should: agent.ts --listen --tls-cert … --tls-key …`,
    `What does it say? openssl s_client -connect ${say("where", "HOST:PORT")} </dev/null`,
  ],
  "tls-wanted": () => ['Write "tls" into the spec, and tls_ca=FILE where its certificate is one of your own'],
  "not-trusted": (say) => [
    "Name the authority that has signed it: tls_ca=FILE",
    `Look at it (names, dates, issuer): openssl s_client -connect ${
      say("where", "HOST:PORT")
    } </dev/null | openssl x509 -noout -text`,
    "The spec has to call the host by a name that is in the certificate",
  ],
  "ca-file": (
    say,
  ) => [`tls_ca=${say("ca", "FILE")} has to be a file of certificates in PEM: ls -l ${say("ca", "FILE")}`],
  "no-token": (say) => [
    `Copy it from the server's machine, where the server keeps it: scp HOST:.config/execnet/token ${
      say("token", "FILE")
    }; chmod 600 ${say("token", "FILE")}`,
    "or write token_file=FILE into the spec",
  ],
  "other-token": (say) => [
    `The file here is ${
      say("token", "the token file")
    }; compare it with the server's own (its --token-file): sha256sum ${say("token", "FILE")}`,
    "A server that was started anew with another file has another token; token_file=FILE names the right one",
  ],
  "not-server": (say) => [
    `Is ${
      say("where", "HOST:PORT")
    } the server's address? On its machine: deno run -A agent.ts --listen PORT`,
    'If the server speaks TLS, write "tls" into the spec',
  ],
  silent: (say) => [
    say("where", "") === ""
      ? `Something takes the connection and never answers: is port ${
        say("port", "or program")
      } the right one?`
      : `Something takes the connection and never answers: is ${
        say("where")
      } the right address? If the server speaks TLS, write "tls" into the spec`,
    "A server that is stopped (Ctrl-Z, a paused machine or container) looks the same, and so does a firewall that answers for others",
  ],
  "other-version":
    () => ["Both sides have to be of the same release: update execnet here, or the server's agent.ts"],
  refused: (say) => [
    `Start the server with what the spec asks for: agent.ts --listen … --allow ${
      say("wanted", "PERMISSION")
    }`,
    "or ask for less in the spec",
  ],
  "no-container": (say) => [
    say("engine") === "kubectl"
      ? "Which are there? kubectl get pods; -n NAMESPACE and -c CONTAINER go before the name: kubectl=-n NAMESPACE POD"
      : `Which are there? ${say("engine", "podman")} ps -a`,
    say("engine") === "podman"
      ? "podman of root and podman of a user know different containers"
      : "Is it the right context?",
  ],
  stopped: (say) => [
    say("engine") === "kubectl"
      ? `kubectl describe pod ${say("container")} says why`
      : `Start it: ${say("engine", "podman")} start ${say("container")}`,
    say("engine") === "kubectl"
      ? `kubectl logs ${say("container")} shows its last words`
      : `If it ends again: ${say("engine", "podman")} logs ${say("container")}`,
  ],
  "no-engine": (say) => [
    say("engine") === "kubectl"
      ? "Which cluster is asked? kubectl config current-context; kubectl cluster-info"
      : `Start it: systemctl start ${say("engine", "docker")}; ${say("engine", "docker")} info`,
  ],
  "engine-denied": (say) => [
    say("engine") === "kubectl"
      ? "May you? kubectl auth can-i create pods/exec"
      : "Let your user in: sudo usermod -aG docker $USER, and log in anew",
  ],
  "no-cluster": () => [
    "This machine has no slurm.conf: log in to a node of the cluster and start from there (ssh=LOGIN//id=hop//allow-run, slurm//via=hop)",
  ],
  "no-controller": () => ["Is it up? scontrol ping; sinfo. Whoever runs the cluster starts slurmctld"],
  "no-partition": () => ["Which are there? sinfo -o '%P %a %l %D %T'; partition=NAME in the spec"],
  "slurm-denied": () => ["What you may use: sacctmgr show associations user=$USER; account=NAME in the spec"],
  "no-nodes": () => ["What there is: sinfo -N -l; fewer nodes, less time or another partition in the spec"],
  "no-shell": (say) => [
    `Try it by hand: ${there(say, "echo works")}`,
    "The login shell has to run commands: not nologin, and not a menu; no ForceCommand in sshd_config and no command= in authorized_keys may stand in the way",
    "An image without sh (distroless) cannot be used",
  ],
  noise: () => [
    "It does no harm to gateways. It does to scp and rsync: print only for people, e.g. at the top of ~/.bashrc: case $- in *i*) ;; *) return ;; esac",
  ],
  "much-noise": () => [
    "Print only for people, e.g. at the top of ~/.bashrc there: case $- in *i*) ;; *) return ;; esac",
  ],
  "no-deno": (say) =>
    say("local", "") === ""
      ? [
        `Install it there: ${there(say, INSTALL)}`,
        "or have this machine's brought there: provision in the spec",
        "or, if it is somewhere else, name it: deno=/path/to/deno",
      ]
      : ["Name one that is there, deno=/path/to/deno; without deno= it is the one that runs this program"],
  "deno-broken": (say) => [
    `${say("path", "It")} is for another machine or another C library: on ${
      say("platform", "that machine")
    } run ${INSTALL}`,
    "Deno's own builds need glibc: an Alpine image needs one with Deno made for it (denoland/deno:alpine)",
  ],
  "not-deno": (say) => [
    `Look what it is: ${say("deno", "deno")} --version has to begin with "deno 2."`,
    "deno=COMMAND in the spec has to be Deno, or words that end in it, such as sudo -u ci deno",
  ],
  "old-deno": (
    say,
  ) => [
    `Update it there: ${say("path", "deno")} upgrade`,
    "or name another one in the spec: deno=/path/to/deno",
  ],
  platform: (say) => [
    `Install one that is made for ${say("platform", "that machine")}, there: ${INSTALL}`,
  ],
  folder: () => ["chdir= has to be a folder that the user there may make and enter"],
};
