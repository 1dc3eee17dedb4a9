import { assert, assertEquals } from "jsr:@std/assert@^1.0.19";
import { isRemoteGlobal, LISTED_DENO, LISTED_GLOBALS } from "../../gateway/shipping/remote_globals.ts";
import { test } from "../helpers/bounded.ts";

const OWN_NAMES = "JSON.stringify(Object.getOwnPropertyNames(globalThis))";

/** What a fresh process and a fresh Worker have, what their global object inherits as an event target, and what executions get. */
async function freshGlobals(): Promise<string[]> {
  const names = new Set(["channel", "__name__", "addEventListener", "removeEventListener", "dispatchEvent"]);
  const { stdout, success } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", `console.log(${OWN_NAMES})`],
    stderr: "inherit",
  }).output();
  assert(success);
  for (const name of JSON.parse(new TextDecoder().decode(stdout))) names.add(name);
  const code = `if (typeof dispatchEvent !== "function") throw 1; postMessage(${OWN_NAMES})`;
  const worker = new Worker(`data:application/javascript,${encodeURIComponent(code)}`, { type: "module" });
  const reply = Promise.withResolvers<MessageEvent<string>>();
  worker.onmessage = reply.resolve;
  worker.onerror = reply.reject;
  for (const name of JSON.parse((await reply.promise).data)) names.add(name);
  worker.terminate();
  return [...names].sort();
}

test("LISTED_GLOBALS is what a fresh process and a fresh Worker have", async () => {
  const fresh = await freshGlobals();
  assert(fresh.length > 200);
  if (Deno.version.deno === LISTED_DENO) {
    assertEquals(LISTED_GLOBALS.trim().split(/\s+/), fresh);
    return;
  }
  // With another Deno the list may lack what is new, but what is no attribute or function of the web is still known.
  const unknown = fresh.filter((name) => !isRemoteGlobal(name));
  for (const name of unknown) {
    assert(Object.getOwnPropertyDescriptor(globalThis, name)?.enumerable !== false, name);
  }
});

test("isRemoteGlobal() knows nothing that a program adds to its globals", () => {
  assert(isRemoteGlobal("fetch") && isRemoteGlobal("postMessage") && isRemoteGlobal("channel"));
  for (
    const name of ["window", "require", "module", "toString", "constructor", "__proto__", "", " ", "describe"]
  ) {
    assertEquals(isRemoteGlobal(name), false, name);
  }
});
