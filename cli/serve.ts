/** `execnet serve`: serves gateways over sockets. */

import { SERVER_DESCRIPTION, SERVER_OPTIONS } from "../gateway/server/options.ts";
import type { Command } from "./command.ts";

/** The command. */
export const serve: Command = {
  name: "serve",
  summary: "serves gateways over sockets to whoever has the token",
  usage: "--listen [HOST:]PORT [options]",
  description: `${SERVER_DESCRIPTION}

Runs until SIGINT, SIGTERM or SIGHUP, ends every process with it, and then with code 0: that is how it is ended.`,
  options: SERVER_OPTIONS,
  examples: [
    ["execnet serve --listen 8888 --allow read=/srv", "for this machine; the token is made if there is none"],
    ["execnet info socket=localhost:8888//allow-read=/srv", "how a gateway of it is made"],
  ],
  words: [0, 0],
  async run(given): Promise<number> {
    const { runServer } = await import("../gateway/server/main.ts");
    const args = SERVER_OPTIONS.flatMap(({ name, value }) =>
      value === undefined
        ? (given.flag(name) ? [`--${name}`] : [])
        : given.texts(name).map((text) => `--${name}=${text}`)
    );
    return await runServer(args, "execnet serve");
  },
};
