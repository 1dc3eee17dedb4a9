/** Asks a process what it may really do. */

import type { Limit } from "../../gateway/probe/mod.ts";
import type { Channel, Gateway } from "../../mod.ts";
import type { Inside, Question } from "./permissions.ts";

/** Asks in an execution, whose permissions are those that count. */
export async function ask(gateway: Gateway, questions: readonly Question[], limit: Limit): Promise<Inside> {
  const { cwd } = await gateway.remoteInfo(limit);
  const channel = gateway.remoteExec(look, {
    questions: questions.map((question) => ({ ...question })),
    cwd,
  });
  const answer = await channel.receive(limit);
  return { ...answer as unknown as Inside, cwd };
}

/** Over there. */
async function look(
  channel: Channel,
  { questions, cwd }: { questions: { name: string; item?: string }[]; cwd: string },
): Promise<void> {
  const subjects: Record<string, string> = {
    read: "path",
    write: "path",
    ffi: "path",
    net: "host",
    import: "host",
    env: "variable",
    run: "command",
    sys: "kind",
  };
  const query = async (
    name: string,
    item: string | undefined,
  ): Promise<{ state: string; partial: boolean }> => {
    const descriptor = item === undefined ? { name } : { name, [subjects[name]!]: item };
    try {
      const status = await Deno.permissions.query(descriptor as Deno.PermissionDescriptor);
      return { state: status.state, partial: status.partial };
    } catch {
      // Deno takes hosts for flags that it does not take for questions, such as *.example.org.
      return { state: "unknown", partial: false };
    }
  };
  const replies = [];
  for (const { name, item } of questions) {
    const reply: Record<string, unknown> = await query(name, item);
    if (item !== undefined && subjects[name] === "path") {
      reply.path = item.startsWith("/") ? item : `${cwd}/${item.replace(/^(\.\/)+/, "")}`;
      try {
        await Deno.lstat(item);
        reply.exists = true;
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) reply.exists = false;
      }
    }
    replies.push(reply);
  }
  const executable = Deno.execPath();
  const mayReplace = (await query("write", executable)).state === "granted";
  await channel.send({ replies, executable, mayReplace } as never);
}
