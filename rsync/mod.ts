/**
 * Copies of folders: one source, any number of targets.
 *
 * @module
 */

export {
  RSync,
  type RSyncOptions,
  type RSyncProgress,
  type RSyncResult,
  type RSyncSendOptions,
  type RSyncTargetOptions,
} from "./rsync.ts";
