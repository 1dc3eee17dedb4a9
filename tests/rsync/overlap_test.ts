import { assertEquals } from "jsr:@std/assert@^1.0.19";
import { XSpec } from "../../mod.ts";
import type { Gateway } from "../../mod.ts";
import { isInside, localPath } from "../../rsync/overlap.ts";
import { withFolder } from "../helpers/folder.ts";
import { test } from "../helpers/bounded.ts";

const on = (spec: string): Gateway => ({ spec: new XSpec(spec) }) as unknown as Gateway;

test("isInside() tells what is in a folder, and is not that", () => {
  for (
    const [path, folder, expected] of [
      ["/a/b", "/a", true],
      ["/a/b", "/", true],
      ["/a", "/a", false],
      ["/", "/", false],
      ["/ab", "/a", false],
      ["/a", "/a/b", false],
    ] as const
  ) assertEquals(isInside(path, folder), expected, `${path} in ${folder}`);
});

test("localPath() follows links as far as something is there, and knows this machine only", async () => {
  await withFolder((folder) => {
    const real = Deno.realPathSync(folder);
    Deno.symlinkSync(folder, `${folder}/link`);
    for (const spec of ["popen", "worker//allow-all"]) {
      assertEquals(localPath(on(spec), `${folder}/link/new/copy`), `${real}/new/copy`);
      assertEquals(localPath(on(spec), "/"), "/");
      assertEquals(localPath(on(spec), "/nothing-there/copy"), "/nothing-there/copy");
    }
    for (const spec of ["ssh=there", "popen//via=gw0", "socket=there:1", "command=sh"]) {
      assertEquals(localPath(on(spec), folder), undefined);
    }
    return Promise.resolve();
  });
});

test("localPath() asks for no permission that the program does not have", async () => {
  await withFolder((folder) => {
    Deno.symlinkSync(folder, `${folder}/link`);
    const { querySync } = Deno.permissions;
    const { realPathSync } = Deno;
    const asked: (string | URL)[] = [];
    Deno.permissions.querySync = () => ({ state: "prompt" }) as Deno.PermissionStatus;
    Deno.realPathSync = (path) => String(asked.push(path));
    try {
      assertEquals(localPath(on("popen"), `${folder}/link`), `${folder}/link`);
    } finally {
      Deno.permissions.querySync = querySync;
      Deno.realPathSync = realPathSync;
    }
    assertEquals(asked, []);
    return Promise.resolve();
  });
});
