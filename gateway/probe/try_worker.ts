/** Makes a Worker with narrower permissions than its program, in a process that may end by it. */

new Worker("data:text/javascript,", { type: "module", deno: { permissions: "none" } }).terminate();
