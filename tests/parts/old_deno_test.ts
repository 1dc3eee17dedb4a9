import { assertMatch } from "jsr:@std/assert@^1.0.19";
import { testWith } from "./need.ts";
import { oldDeno } from "./old_deno.ts";
import { run } from "./run.ts";
import { Sshd, SSHD_USERS } from "./sshd.ts";

for (const old of [oldDeno("2.0.0"), oldDeno("1.46.0")]) {
  testWith(old, `oldDeno() gives Deno ${old.version}`, async () => {
    assertMatch((await run([old.path, "--version"])).stdout, new RegExp(`^deno ${old.version} `));
  });

  testWith([old, SSHD_USERS], `Sshd with an executable has Deno ${old.version} for all users`, async () => {
    await using sshd = await Sshd.start({ executable: old.path, users: [{ name: "one" }] });
    const { stdout } = await run(["ssh", "-F", sshd.config, "one", "deno --version"]);
    assertMatch(stdout, new RegExp(`^deno ${old.version} `));
  });
}
