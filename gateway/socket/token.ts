/** Where the token of a server is kept, and how it is read. */

/** Less can be guessed. */
const MIN_TOKEN_CHARACTERS = 16;
const MAX_TOKEN_BYTES = 4096;

/** Where client and server of one user find the token if they are not told; undefined where there is no home. */
export function defaultTokenPath(): string | undefined {
  const get = (name: string): string | undefined => Deno.env.get(name) || undefined;
  if (Deno.build.os === "windows") {
    const folder = get("APPDATA");
    return folder === undefined ? undefined : `${folder}\\execnet\\token`;
  }
  const folder = get("XDG_CONFIG_HOME");
  if (folder?.startsWith("/")) return `${folder}/execnet/token`;
  const home = get("HOME");
  return home === undefined ? undefined : `${home}/.config/execnet/token`;
}

/** The token in a file's text. `where` says which file, for the error; no error holds the token. */
export function parseToken(text: string, where: string): string {
  const token = text.trim();
  if (token.length < MIN_TOKEN_CHARACTERS || token.length > MAX_TOKEN_BYTES || /\s/.test(token)) {
    throw new RangeError(
      `Cannot use the token in ${where}: it must be one word of at least ${MIN_TOKEN_CHARACTERS} characters`,
    );
  }
  return token;
}

/** Reads the token in a file. */
export function readTokenFile(path: string): string {
  const { size, isFile } = Deno.statSync(path);
  if (!isFile || size > MAX_TOKEN_BYTES) {
    throw new RangeError(`Cannot use the token in "${path}": it is no file of a token's size`);
  }
  return parseToken(Deno.readTextFileSync(path), `"${path}"`);
}

/** A new token. */
export function makeToken(): string {
  return crypto.getRandomValues(new Uint8Array(32)).toBase64({ alphabet: "base64url", omitPadding: true });
}
