/**
 * Specs: what to start, and what it may do. Text or object ⇄ {@linkcode XSpec}; permissions → Deno's flags.
 *
 * Nothing here touches a process, a file or the network.
 *
 * @module
 */

export { DENO_ON_PATH, FIND_AND_RUN } from "./deno_path.ts";
export { XSpecError } from "./error.ts";
export { type ExecModel, type GatewayType } from "./_grammar.ts";
export { keepaliveOf } from "./keepalive.ts";
export { type PermissionKeysInit, type XSpecInit } from "./init.ts";
export { shownSpec, XSpec } from "./xspec.ts";
export {
  narrow,
  type PermissionLists,
  type PermissionName,
  type Permissions,
  type PermissionsInit,
} from "./permissions.ts";
export {
  permissionFlags,
  runFlags,
  type RunFlagsSpec,
  withEnv,
  type WorkerPermission,
  type WorkerPermissions,
  workerPermissions,
} from "./flags.ts";
export { quoteWord, splitWords } from "./shell_words.ts";
