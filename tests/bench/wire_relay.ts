/**
 * Runs a program and passes its stdin and stdout on, counting the bytes. Run as `command=` of a gateway, only where bytes
 * are counted: it takes time. The first argument is the file for the counts, inwards and outwards; the rest the program.
 */

const [counts, program, ...args] = Deno.args;
const child = new Deno.Command(program!, { args, stdin: "piped", stdout: "piped", stderr: "inherit" })
  .spawn();
const total = { inwards: 0, outwards: 0 };

/** What has been passed on has been counted before. */
function counter(direction: keyof typeof total): TransformStream<Uint8Array, Uint8Array> {
  return new TransformStream({
    transform(bytes, controller): void {
      total[direction] += bytes.length;
      Deno.writeTextFileSync(counts!, `${total.inwards} ${total.outwards}`);
      controller.enqueue(bytes);
    },
  });
}

const inwards = Deno.stdin.readable.pipeThrough(counter("inwards")).pipeTo(child.stdin);
// The program may end without having read everything.
inwards.catch(() => {});
await child.stdout.pipeThrough(counter("outwards")).pipeTo(Deno.stdout.writable);
Deno.exit((await child.status).code);
