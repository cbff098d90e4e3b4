import { connect, createServer, type Socket } from "node:net";

/** A wire between the tests and a server that can be cut: bytes stop, and nobody is told, as when a cable is pulled. */
export interface Wire extends AsyncDisposable {
  readonly port: number;
  /** Nothing passes from now on, in either direction. New connections stand and say nothing. */
  cut(): void;
  /** What the server says on the connections that stand is lost; what it is told passes. New ones are as always. */
  deafen(): void;
  /** What was held passes. */
  mend(): void;
  /** Ends every connection, as a switch does that starts anew. */
  reset(): void;
  readonly connections: number;
}

export async function startWire(to: number): Promise<Wire> {
  const pairs = new Set<readonly [Socket, Socket]>();
  let isCut = false;
  const server = createServer({ pauseOnConnect: true }, (near) => {
    const far = connect({ host: "127.0.0.1", port: to });
    const pair = [near, far] as const;
    pairs.add(pair);
    const end = () => {
      pairs.delete(pair);
      near.destroy();
      far.destroy();
    };
    for (const [from, into] of [pair, [far, near]] as const) {
      from.on("data", (bytes) => into.write(bytes));
      from.on("error", end);
      from.on("close", () => {
        if (!isCut) end();
      });
      if (isCut) from.pause();
      else from.resume();
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    port: address.port,
    cut() {
      isCut = true;
      for (const socket of [...pairs].flat()) socket.pause();
    },
    deafen() {
      for (const [near, far] of pairs) far.removeAllListeners("data").on("data", () => near.ref());
    },
    mend() {
      isCut = false;
      for (const pair of pairs) {
        if (pair.some((socket) => socket.destroyed)) for (const socket of pair) socket.destroy();
        else for (const socket of pair) socket.resume();
      }
    },
    reset() {
      for (const socket of [...pairs].flat()) socket.destroy();
    },
    get connections() {
      return pairs.size;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of [...pairs].flat()) socket.destroy();
      await new Promise<void>((resolve) => void server.close(() => resolve()));
    },
  };
}
