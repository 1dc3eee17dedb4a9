/** Makes a gateway behind a hop, and has nothing more to do. */

import { Group } from "../../../mod.ts";

const group = await Group.create(["popen//id=hop//allow-run", "popen//via=hop"], { stderr: "null" });
if (await group.get(1)!.call(() => 1 + 1) === 2) console.log("made");
