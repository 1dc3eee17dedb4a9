/** What V8 writes down about the scripts of a process, and what can be read from it. */

/** What an isolate has loaded and compiled. */
export interface Isolate {
  /** Deno's own scripts that were loaded after the first one of ours, in their order: those that a bare start has not. */
  readonly loaded: readonly string[];
  /** Functions that were compiled. */
  readonly compiled: number;
  /** Whether the function was called up to which all this counts; where it was not, all counts. */
  readonly marked: boolean;
}

/** The environment with which a Deno writes a log of each isolate into a folder. */
export function loggingInto(folder: string): string {
  return `DENO_V8_FLAGS=--log-function-events,--logfile=${folder}/v8.log`;
}

/** Reads the logs in a folder: of each isolate what came before a function of that name was called there. */
export function readLogs(folder: string, mark: string): Isolate[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => readLog(`${folder}/${name}`, mark));
}

function readLog(path: string, mark: string): Isolate {
  const seen = new Set<string>();
  const loaded: string[] = [];
  let ours = false;
  let compiled = 0;
  for (const line of Deno.readTextFileSync(path).split("\n")) {
    const [kind, event, name, , , , , functionName] = line.split(",");
    if (kind === "script-details" && !seen.has(name!)) {
      seen.add(name!);
      if (name!.startsWith("data:")) ours = true;
      else if (ours) loaded.push(name!);
    }
    if (kind !== "function" || event !== "interpreter") continue;
    // A function is compiled when it is called first.
    if (functionName === mark) return { loaded, compiled, marked: true };
    compiled++;
  }
  return { loaded, compiled, marked: false };
}
