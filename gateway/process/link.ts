/** The link to a local Deno process: how its bytes come and go, and what its first lines of code are. */

import type { Transport } from "../../channel/transport.ts";
import { inTurns } from "../../channel/turn.ts";
import type { PermissionName, Permissions } from "../../xspec/mod.ts";
import { PID_MARK } from "./guard.ts";
import { OLDEST_DENO } from "./versions.ts";

/** How a process is reached. */
export type LinkKind = "socket" | "descriptor" | "pipes";

/** A permission that the process holds only until it has connected. */
export interface Revocation {
  /** Which permission. */
  name: "read" | "write" | "net";
  /** For which file. */
  path?: string;
  /** For which address. */
  host?: string;
}

/** What a process needs in order to connect, and gives back afterwards. */
export interface ConnectGrant {
  /** Its permissions with what connecting takes. */
  permissions: Permissions;
  /** What it revokes before any other code runs. */
  revoke: Revocation[];
}

/**
 * Adds to permissions what it takes to connect to the Unix socket at `path`. What is allowed anyway is neither added
 * nor revoked.
 *
 * @returns undefined where what is denied stands in the way: then the link is a descriptor
 */
export function connectGrant(permissions: Permissions, path: string, cwd: string): ConnectGrant | undefined {
  if (permissions.deny.read || permissions.deny.write || permissions.deny.net) return undefined;
  if (permissions.all) return { permissions, revoke: [] };
  const allow: Partial<Record<PermissionName, true | readonly string[]>> = { ...permissions.allow };
  const revoke: Revocation[] = [];
  for (const name of ["read", "write"] as const) {
    const list = allow[name];
    if (list === true || mayAlready(list, path, cwd)) continue;
    allow[name] = [...(list ?? []), path];
    revoke.push({ name, path });
  }
  if (allow.net !== true) {
    allow.net = [...(allow.net ?? []), `unix:${path}`];
    revoke.push({ name: "net", host: `unix:${path}` });
  }
  return { permissions: { ...permissions, allow }, revoke };
}

/** Whether a permission for files, as a spec gives it, covers `path`. */
export function mayAlready(list: true | readonly string[] | undefined, path: string, cwd: string): boolean {
  return list === true || (list?.some((entry) => isBelow(path, resolve(cwd, entry))) ?? false);
}

/** `entry` as an absolute path without `.` and `..`. */
function resolve(cwd: string, entry: string): string {
  const parts: string[] = [];
  for (const part of (entry.startsWith("/") ? entry : `${cwd}/${entry}`).split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

function isBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder === "/" ? "/" : `${folder}/`);
}

/** What a link by node's sockets holds at most of what has come, but for one chunk. */
export const HELD_BYTES: number = 256 * 1024;

/** Where the agent whose folder this is takes the links of programs that it starts for its caller. */
export function doorPath(folder: string): string {
  return `${folder}/h`;
}

/** Bytes of the proof that whoever connects is the process that was started. */
export const NONCE_BYTES = 16;

/** The trace file of a process. */
export interface StageTrace {
  /** Its path but for the process's id, which is its end. */
  base: string;
  /** Whether the permission to write it is to be given back. */
  revoke: boolean;
}

/** Where a program takes links of executions past the router. */
export interface BypassPlace {
  /** Its socket; none where there is only something to give back. */
  path: string;
  /** Proof, in hexadecimal digits. */
  nonce: string;
  /** The permissions that connecting takes, which whoever has connected gives back. */
  revoke: Revocation[];
}

/** Who takes the links that executions bring. */
export interface LinkTaker {
  /** Takes one, with the number that it has said. */
  link(link: Transport, number: number): void;
  /** None comes any more. */
  noMore(): void;
}

/** What the first lines of a process get from whoever started it, in its arguments. */
export interface StageZero {
  kind: LinkKind;
  /** The socket, for that kind of link. */
  path: string;
  /** A folder that goes with the process, or nothing. */
  folder: string;
  revoke: Revocation[];
  /** Proof, in hexadecimal digits; none where there is no other who could have connected. */
  nonce: string;
  /** Whether the agent keeps the permissions, for its Workers to connect there, or for its door; each gives its own back. */
  bypass: boolean;
  /** Whether to make a spare Worker for the agent while that is on its way. */
  worker: boolean;
  /** The trace file to make, if any. */
  trace?: StageTrace | undefined;
}

/**
 * The first code of a Worker: it runs the agent's text, which is the first message, and starts its side with what the
 * second one says.
 */
export const WORKER_URL: string = scriptUrl(
  "onmessage=e=>{const a=new Function(e.data)();onmessage=e=>{onmessage=null;a.startWorker(e.data)}}",
);

/** A Deno that is too old ends with this code. */
export const OLD_DENO_CODE = 86;

/** Old engines read this, too. */
const VERSION_CHECK = `{const[a,b]=Deno.version.deno.split(".");
if(a<${OLDEST_DENO[0]}||a==${OLDEST_DENO[0]}&&b<${OLDEST_DENO[1]}){
console.error("execnet needs Deno ${
  OLDEST_DENO.join(".")
}, and this is "+Deno.version.deno);Deno.exit(${OLD_DENO_CODE})}}`;

/**
 * The first code of a process, as a URL for `deno run`: it connects, gives back the permissions that this took, proves
 * itself, reads the agent (4 bytes of length, then the script) and starts it on the same connection. The script is run
 * as a function's body: loading it as a module would take several times as long.
 */
export function stageZeroUrl(zero: StageZero): string {
  // There is nothing to give back for descriptors, so that the Worker starts while node's sockets are loaded.
  const open = zero.kind === "socket"
    ? SOCKET_LINK + PROOF + SPARE_WORKER
    : SPARE_WORKER + DESCRIPTOR_LINK + PROOF;
  // The process's id is put in by the shell, so that it is the one in the flag that allows the file.
  const trace = zero.trace === undefined ? "" : `const I=${PID_MARK};`;
  return scriptUrl(
    `${trace}const Z=${JSON.stringify(zero)},U=${JSON.stringify(WORKER_URL)};let T;` +
      `${VERSION_CHECK}${trace === "" ? "" : TRACE_FILE}${open}${STAGE_ZERO}`,
  );
}

/**
 * A script as a URL. What a URL's path may hold is left as it is, and so is {@linkcode PID_MARK}: the text is read by a shell elsewhere, byte by byte,
 * and escapes would be half of it.
 */
export function scriptUrl(text: string): string {
  return `data:text/javascript,${text.replace(/[^ !"$&-~\0]/g, encodeURIComponent)}`;
}

/**
 * What lies there under that name is left from an earlier process, or a trap: a link that leads elsewhere. It is removed,
 * never followed. 384 is 0600.
 */
const TRACE_FILE = `const F=Z.trace.base+I;try{Deno.removeSync(F)}catch{}
try{T=Deno.openSync(F,{append:true,createNew:true,mode:384})}catch{}
if(Z.trace.revoke)Deno.permissions.revokeSync({name:"write",path:F});`;

/**
 * Its permissions are those that are left, so it is made when the others have been given back. Each Worker has a set of
 * its own: without a word about them, all would share one, and what one gives back, all would lose.
 */
const SPARE_WORKER = `const W=Z.worker?new Worker(U,{type:"module",deno:{permissions:"inherit"}}):undefined;`;

const SOCKET_LINK =
  `const l=await Deno.connect({transport:"unix",path:Z.path}).catch(e=>{if(e instanceof Deno.errors.NotCapable)throw e;Deno.exit(0)});
if(!Z.bypass)for(const p of Z.revoke)Deno.permissions.revokeSync(p);`;

/**
 * Descriptor 3 is one end of a pair of sockets, or a pipe, and then descriptor 4 is the pipe for the other direction. It
 * flows until {@linkcode HELD_BYTES} wait to be read, so that the kernel holds what nobody wants yet; pausing after each
 * chunk would cost more than the chunk.
 */
const DESCRIPTOR_LINK = `const{Socket}=await import("node:net");
const P=Z.kind=="pipes",s=new Socket({fd:3,writable:!P}),o=P?new Socket({fd:4,readable:false}):s;o.on("error",()=>{});
let d=[],h=0,e=false,q;const k=()=>{q&&q();q=undefined},z=()=>{e=true;k()};
s.on("data",c=>{d.push(c);h+=c.length;if(h>=${HELD_BYTES})s.pause();k()});s.on("end",z);s.on("close",z);s.on("error",z);
const l={async read(b){while(!d.length){if(e)return null;if(s.isPaused())s.resume();await new Promise(r=>q=r)}
let n=0;while(d.length&&n<b.length){const c=d[0],m=Math.min(b.length-n,c.length);b.set(m<c.length?c.subarray(0,m):c,n);n+=m;if(m<c.length)d[0]=c.subarray(m);else d.shift()}
h-=n;return n},
write:b=>new Promise((r,j)=>o.write(b,x=>x?j(x):r(b.length))),close:()=>{s.destroy();o.destroy()}};`;

const PROOF = `const w=async b=>{for(let o=0;o<b.length;)o+=await l.write(b.subarray(o))};
if(Z.nonce)await w(Uint8Array.fromHex(Z.nonce)).catch(()=>Deno.exit(0));`;

const STAGE_ZERO = `
const r=async n=>{const b=new Uint8Array(n);for(let o=0;o<n;){const c=await l.read(b.subarray(o)).catch(()=>null);if(c===null)Deno.exit(0);o+=c}return b};
const n=new DataView((await r(4)).buffer).getUint32(0);
const t=await r(n),c=new TextDecoder().decode(t);W?.postMessage(c);new Function(c)().startAgent(l,{script:t,spare:W,folder:Z.folder,bypass:Z.bypass?Z:undefined,trace:T})`;

/** What both `Deno.Conn` and the script above offer. */
export interface RawLink {
  /** Reads what is there; `null` at the end. */
  read(into: Uint8Array): Promise<number | null>;
  /** Writes some of `bytes` and says how many. */
  write(bytes: Uint8Array): Promise<number>;
  /** Ends both directions. */
  close(): void;
}

/** A few large pieces a turn keep the link busy and other channels alive. */
const WRITE_BUDGET_BYTES = 256 * 1024 + 64;

/** Makes a transport of a link. */
export function linkTransport(link: RawLink): Transport {
  let closed = false;
  const close = (): void => {
    if (closed) return;
    closed = true;
    try {
      link.close();
    } catch {
      // It has been closed by its end.
    }
  };
  return {
    read: inTurns((into) => closed ? Promise.resolve(null) : link.read(into)),
    async write(bytes): Promise<void> {
      let offset = await link.write(bytes);
      while (offset < bytes.length) offset += await link.write(bytes.subarray(offset));
    },
    close,
    abort: close,
    writeBudget: WRITE_BUDGET_BYTES,
  };
}
