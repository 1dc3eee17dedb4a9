/** What the script runs that is shipped to targets. */

import type { Channel } from "../../channel/channel.ts";
import { receiveAll } from "./receive.ts";

declare const channel: Channel;

await receiveAll(channel);
