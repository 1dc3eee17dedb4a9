/** What an editor is to `deno lsp`: opens files, and asks what is shown for them. */

const LIMIT_MS = 60_000;

/** A place in a file, from 0. */
export interface Position {
  line: number;
  character: number;
}

interface Message {
  id?: number;
  method?: string;
  params?: Record<string, unknown>;
  result?: unknown;
  error?: { message: string };
}

/** A running language server. */
export class LanguageServer implements AsyncDisposable {
  readonly #folder: string;
  readonly #child: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #reading: Promise<void>;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #id = 0;

  private constructor(folder: string) {
    this.#folder = folder;
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["lsp", "--quiet"],
      cwd: folder,
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
      signal: AbortSignal.timeout(LIMIT_MS),
    }).spawn();
    this.#writer = this.#child.stdin.getWriter();
    this.#reading = this.#read();
  }

  /** Starts one for a folder. */
  static async start(folder: string): Promise<LanguageServer> {
    const server = new LanguageServer(folder);
    await server.#ask("initialize", {
      processId: Deno.pid,
      rootUri: `file://${folder}`,
      capabilities: { workspace: { configuration: true, workspaceFolders: true } },
      workspaceFolders: [{ uri: `file://${folder}`, name: "test" }],
      initializationOptions: { enable: true },
    });
    await server.#tell("initialized", {});
    return server;
  }

  /** Opens a file. */
  async open(path: string, text: string): Promise<void> {
    const textDocument = { uri: this.#uri(path), languageId: "typescript", version: 1, text };
    await this.#tell("textDocument/didOpen", { textDocument });
  }

  /** What is shown for a place. */
  async hover(path: string, position: Position): Promise<string> {
    const shown = await this.#ask("textDocument/hover", { textDocument: { uri: this.#uri(path) }, position });
    return JSON.stringify(shown);
  }

  /** Ends it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#ask("shutdown", undefined);
    await this.#tell("exit", undefined);
    await this.#child.status;
    await this.#writer.abort().catch(() => {});
    await this.#reading;
  }

  #uri(path: string): string {
    return `file://${this.#folder}/${path}`;
  }

  async #ask(method: string, params: unknown): Promise<unknown> {
    const answer = Promise.withResolvers<unknown>();
    const id = ++this.#id;
    this.#waiting.set(id, answer);
    await this.#write({ id, method, params });
    return await answer.promise;
  }

  async #tell(method: string, params: unknown): Promise<void> {
    await this.#write({ method, params });
  }

  async #write(message: Record<string, unknown>): Promise<void> {
    const body = new TextEncoder().encode(JSON.stringify({ jsonrpc: "2.0", ...message }));
    const head = new TextEncoder().encode(`Content-Length: ${body.length}\r\n\r\n`);
    const whole = new Uint8Array(head.length + body.length);
    whole.set(head);
    whole.set(body, head.length);
    await this.#writer.write(whole);
  }

  async #read(): Promise<void> {
    // One character is one byte here, so that lengths can be counted in characters.
    let text = "";
    for await (const chunk of this.#child.stdout) {
      text += Array.from(chunk, (byte) => String.fromCharCode(byte)).join("");
      while (true) {
        const head = /Content-Length: (\d+)\r\n(?:[^\r\n]+\r\n)*\r\n/.exec(text);
        if (head === null) break;
        const start = head.index + head[0].length;
        const end = start + Number(head[1]);
        if (text.length < end) break;
        const bytes = Uint8Array.from(text.slice(start, end), (char) => char.charCodeAt(0));
        text = text.slice(end);
        await this.#handle(JSON.parse(new TextDecoder().decode(bytes)));
      }
    }
    for (const { reject } of this.#waiting.values()) reject(new Error("The language server has ended"));
  }

  async #handle({ id, method, params, result, error }: Message): Promise<void> {
    if (id === undefined) return;
    if (method !== undefined) {
      // It asks for the editor's settings, each of which is left as it is; all else is agreed to.
      const items = params?.items;
      await this.#write({ id, result: Array.isArray(items) ? items.map(() => ({ enable: true })) : null });
      return;
    }
    const answer = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) answer?.resolve(result);
    else answer?.reject(new Error(`The language server says: ${error.message}`));
  }
}
