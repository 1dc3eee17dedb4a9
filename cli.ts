/**
 * The `execnet` command: runs code behind any gateway, copies folders there, and finds out why a connection fails.
 *
 * ```sh
 * deno run -A cli.ts exec ssh=build1 -e 'channel.send(Deno.pid)'
 * deno run -A cli.ts --help
 * ```
 *
 * @module
 */

import { main } from "./cli/main.ts";

if (import.meta.main) Deno.exit(await main(Deno.args));
