/** What the script runs that is shipped to targets. */

import type { Channel } from "../../channel/channel.ts";
import { receive } from "./receive.ts";

declare const channel: Channel;

await receive(channel);
