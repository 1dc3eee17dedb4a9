/** The environment of tests with Slurm. */

/** How many calls of this file are under way; only the first one takes the lock. */
let under = 0;

/** Sets variables of this program's environment for as long as `body` takes. */
export async function withEnv(
  env: Readonly<Record<string, string>>,
  body: () => Promise<void>,
): Promise<void> {
  const lock = under === 0 ? await takeLock() : undefined;
  under++;
  const before = Object.keys(env).map((name) => [name, Deno.env.get(name)] as const);
  for (const [name, value] of Object.entries(env)) Deno.env.set(name, value);
  try {
    await body();
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) Deno.env.delete(name);
      else Deno.env.set(name, value);
    }
    under--;
    lock?.close();
  }
}

/** All test files share this program's environment: one of them at a time may change it. This file is the lock. */
async function takeLock(): Promise<Deno.FsFile> {
  const file = await Deno.open(new URL(import.meta.url));
  await file.lock(true);
  return file;
}
