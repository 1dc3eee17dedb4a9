/** A gateway whose processes belong to another user, for what root may always do. */

import { makeGateway } from "../../mod.ts";
import type { Gateway } from "../../mod.ts";
import { withFolder } from "../helpers/folder.ts";
import { lacking, notRoot, part } from "./need.ts";
import type { Part } from "./need.ts";

/** Processes can be given another user. */
export const OTHER_USER: Part = part("another user", () => notRoot() ?? lacking("setpriv"));

/** The other user, and their group. */
export const NOBODY = 65_534;

/** What a test with another user works with. */
export interface OtherUser {
  /** Runs as the other user, and may read and write in the folder. */
  readonly gateway: Gateway;
  /** Holds the source, a folder of theirs and what the test makes. */
  readonly folder: string;
  /** An empty folder. */
  readonly source: string;
  /** A path in their folder. Nothing is there. */
  readonly dest: string;
}

/** Gives a gateway of another user, and ends it. */
export async function withOtherUser(body: (parts: OtherUser) => Promise<void>): Promise<void> {
  await withFolder(async (folder) => {
    Deno.chmodSync(folder, 0o711);
    Deno.mkdirSync(`${folder}/source`);
    Deno.mkdirSync(`${folder}/theirs`);
    Deno.chownSync(`${folder}/theirs`, NOBODY, NOBODY);
    await using gateway = await makeGateway({
      command: `setpriv --reuid=${NOBODY} --regid=${NOBODY} --clear-groups`,
      allowRead: [folder],
      allowWrite: [folder],
      chdir: "/",
    });
    await body({ gateway, folder, source: `${folder}/source`, dest: `${folder}/theirs/copy` });
  });
}
