/** A server with a certificate that a new authority has signed. */

import { assert } from "jsr:@std/assert@^1.0.19";
import { withFolder } from "../helpers/folder.ts";
import { withServer } from "./server_process.ts";
import type { RunningServer } from "./server_process.ts";

/** Makes an authority and a certificate for 127.0.0.1 and localhost. */
async function certificates(folder: string): Promise<void> {
  const openssl = async (...args: string[]): Promise<void> => {
    const { success, stderr } = await new Deno.Command("openssl", { args, cwd: folder }).output();
    assert(success, new TextDecoder().decode(stderr));
  };
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  await openssl(
    "req",
    "-x509",
    ...newKey,
    "-keyout",
    "ca.key",
    "-out",
    "ca.pem",
    "-subj",
    "/CN=test authority",
  );
  await openssl("req", ...newKey, "-keyout", "key.pem", "-out", "request.pem", "-subj", "/CN=test server");
  await Deno.writeTextFile(`${folder}/names`, "subjectAltName=DNS:localhost,IP:127.0.0.1\n");
  const sign = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names"];
  await openssl("x509", "-req", "-in", "request.pem", ...sign, "-out", "cert.pem");
}

/** Starts such a server and does something with it; `keys` are those of a spec that trusts it. */
export async function withTlsServer(
  body: (server: RunningServer, keys: string) => Promise<void>,
  more: readonly string[] = [],
): Promise<void> {
  await withFolder(async (folder) => {
    await certificates(folder);
    const options = [...more, "--tls-cert", `${folder}/cert.pem`, "--tls-key", `${folder}/key.pem`];
    await withServer(options, (server) => body(server, `tls//tls_ca=${folder}/ca.pem`));
  });
}
