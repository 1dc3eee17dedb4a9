/** Everything that remote code may try from inside, at every place. */

import { testAttempts } from "./inside.ts";
import "./between.ts";
import "./children.ts";
import "./descriptors.ts";
import "./forged.ts";
import "./prototypes.ts";

testAttempts();
