/**
 * An ssh ProxyCommand that holds everything for a while, in both directions: `delay_line.ts host port ms`. It delays
 * each piece by the same time and goes on reading meanwhile, so that throughput stays.
 */

/** So much may be under way in one direction; a real link has windows as well. */
const HELD_BYTES = 64 << 20;

/** Passes bytes on, each `ms` after it came; the end of input too. */
async function pass(
  from: ReadableStream<Uint8Array>,
  to: WritableStream<Uint8Array>,
  ms: number,
): Promise<void> {
  const line = new TransformStream<[number, Uint8Array], [number, Uint8Array]>(
    undefined,
    { highWaterMark: HELD_BYTES, size: ([, piece]) => piece.length },
  );
  const filled = (async () => {
    const enter = line.writable.getWriter();
    for await (const piece of from) {
      await enter.ready;
      enter.write([performance.now() + ms, piece]).catch(() => {});
    }
    enter.write([performance.now() + ms, new Uint8Array()]).catch(() => {});
    await enter.close();
  })();
  filled.catch(() => {});
  const leave = to.getWriter();
  for await (const [due, piece] of line.readable) {
    const early = due - performance.now();
    if (early > 0) await new Promise((resolve) => setTimeout(resolve, early));
    if (piece.length > 0) await leave.write(piece);
  }
  await leave.close();
  await filled;
}

const [hostname, port, ms] = Deno.args;
const connection = await Deno.connect({ hostname: hostname!, port: Number(port) });
connection.setNoDelay(true);
const ends = [
  pass(Deno.stdin.readable, connection.writable, Number(ms)),
  pass(connection.readable, Deno.stdout.writable, Number(ms)),
];
// When the server has ended nothing more comes; what the client still sends has no receiver.
await ends[1]!.catch(() => {});
Deno.exit(0);
