/** What ssh says with `-v` (OpenSSH 9.2), without lines that are of no interest. Keys and ports are those of tests. */

const CONNECTING = `OpenSSH_9.2p1 Debian-2+deb12u10, OpenSSL 3.0.22 25 Aug 2026
debug1: Reading configuration data /home/me/.ssh/config
debug1: /home/me/.ssh/config line 1: Applying options for own
`;

const CONNECTED = `${CONNECTING}debug1: Connecting to build.example.org [192.0.2.7] port 2222.
debug1: Connection established.
debug1: identity file /home/me/.ssh/id type 3
debug1: identity file /home/me/.ssh/id-cert type -1
debug1: Local version string SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10
debug1: Remote protocol version 2.0, remote software version OpenSSH_9.2p1 Debian-2+deb12u10
debug1: Authenticating to build.example.org:2222 as 'me'
debug1: SSH2_MSG_KEXINIT sent
debug1: Server host key: ssh-ed25519 SHA256:F9LK81yh3n4RkB+KKnAwsv/dzbcu0Z6WOg6kiswebCQ
`;

const KNOWN = `${CONNECTED}debug1: Host '[192.0.2.7]:2222' is known and matches the ED25519 host key.
debug1: Found key in /home/me/.ssh/known_hosts:1
debug1: SSH2_MSG_NEWKEYS sent
debug1: SSH2_MSG_NEWKEYS received
debug1: SSH2_MSG_SERVICE_ACCEPT received
debug1: Authentications that can continue: publickey
debug1: Next authentication method: publickey
`;

const OFFERED = `${KNOWN}debug1: Offering public key: /home/me/.ssh/id ED25519 SHA256:uc6qeM1nLTt2J7 explicit
`;

const ACCEPTED =
  `${OFFERED}debug1: Server accepts key: /home/me/.ssh/id ED25519 SHA256:uc6qeM1nLTt2J7 explicit
`;

const DENIED = `debug1: No more authentication methods to try.
me@192.0.2.7: Permission denied (publickey).
`;

/** Each by what is the matter. */
export const SSH_SAID: Readonly<Record<string, string>> = {
  "it logs in": `${ACCEPTED}Authenticated to build.example.org ([192.0.2.7]:2222) using "publickey".
debug1: channel 0: new session [client-session] (inactive timeout: 0)
debug1: Entering interactive session.
debug1: Sending command: exec sh -c 'read -r x;eval "$x"'
Transferred: sent 3596, received 3476 bytes, in 0.1 seconds
Bytes per second: sent 54944.7, received 53111.2
debug1: Exit status 0
`,
  "unknown name": `${CONNECTING}ssh: Could not resolve hostname nowhere.invalid: Name or service not known\n`,
  "closed port": `${CONNECTING}debug1: Connecting to 127.0.0.1 [127.0.0.1] port 1.
debug1: connect to address 127.0.0.1 port 1: Connection refused
ssh: connect to host 127.0.0.1 port 1: Connection refused
`,
  "no route": `${CONNECTING}debug1: Connecting to 192.0.2.7 [192.0.2.7] port 22.
ssh: connect to host 192.0.2.7 port 22: No route to host
`,
  "timed out": `${CONNECTING}debug1: Connecting to 192.0.2.7 [192.0.2.7] port 22.
ssh: connect to host 192.0.2.7 port 22: Connection timed out
`,
  "banned": `${CONNECTING}debug1: Connecting to 192.0.2.7 [192.0.2.7] port 22.
debug1: Connection established.
debug1: Local version string SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u10
kex_exchange_identification: read: Connection reset by peer
Connection reset by 192.0.2.7 port 22
`,
  "changed key": `${CONNECTED}@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!
Offending ED25519 key in /home/me/.ssh/known_hosts:1
  remove with:
  ssh-keygen -f "/home/me/.ssh/known_hosts" -R "[192.0.2.7]:2222"
Host key for [192.0.2.7]:2222 has changed and you have requested strict checking.
Host key verification failed.
`,
  "unknown key": `${CONNECTED}debug1: checking without port identifier
No ED25519 host key is known for [192.0.2.7]:2222 and you have requested strict checking.
Host key verification failed.
`,
  // The lines between are those of a host in between.
  "unknown key behind a jump": `debug1: Executing proxy command: exec ssh -v -W '[%h]:%p' jump
${KNOWN}Authenticated to jump ([192.0.2.1]:22) using "publickey".
debug1: Remote protocol version 2.0, remote software version OpenSSH_9.2p1
debug1: Server host key: ssh-ed25519 SHA256:behind
No ED25519 host key is known for build.example.org and you have requested strict checking.
Host key verification failed.
`,
  "refused key": `${OFFERED}debug1: Authentications that can continue: publickey\n${DENIED}`,
  "no key": `Warning: Identity file /home/me/nokey not accessible: No such file or directory.
${KNOWN}debug1: Trying private key: /home/me/.ssh/id_rsa\n${DENIED}`,
  "locked key": `${ACCEPTED}${DENIED}`,
  "open key": `${ACCEPTED}@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@         WARNING: UNPROTECTED PRIVATE KEY FILE!          @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
Permissions 0644 for '/home/me/.ssh/id' are too open.
It is required that your private key files are NOT accessible by others.
This private key will be ignored.
Load key "/home/me/.ssh/id": bad permissions
${DENIED}`,
  "too many keys": `${OFFERED}Received disconnect from 192.0.2.7 port 2222:2: Too many authentication failures
Disconnected from 192.0.2.7 port 2222
`,
  "two factors": `${ACCEPTED}Authenticated using "publickey" with partial success.
debug1: Authentications that can continue: password,keyboard-interactive
${DENIED}`,
  "bad option": "command-line: line 0: Bad configuration option: nonsense\n",
};
