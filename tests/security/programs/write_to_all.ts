/** Remote code that writes nonsense to every open descriptor that it can take for a socket or a pipe. */

/** The text: it tells when it is about to. */
export const WRITE_TO_ALL = `
  const { Socket } = await import("node:net");
  await channel.send("about to");
  await channel.receive();
  const nonsense = new Uint8Array(4096).fill(0xfe);
  const held = [];
  for (let fd = 3; fd < 64; fd++) {
    try {
      const socket = new Socket({ fd, readable: false, writable: true });
      socket.on("error", () => {});
      held.push(new Promise((resolve) => socket.write(nonsense, resolve)));
      globalThis["kept" + fd] = socket;
    } catch {
      // It is none.
    }
  }
  await Promise.race([Promise.all(held), new Promise((resolve) => setTimeout(resolve, 500))]);
`;
