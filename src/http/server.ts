import type { Server } from "bun";
import type { App, Connection } from "./app.ts";

/**
 * Listening and stopping. Sizes and pace are limited where bodies are read (body.ts, multipart.ts), so that a refusal is
 * an answer in the API's own envelope; the runtime's own limit would cut in with a bare 413.
 */
export interface ServerOptions {
  app: App;
  host: string;
  /** 0 takes a free port. */
  port: number;
  /** Seconds without a byte in either direction after which a connection is closed, at most 255. */
  idleTimeoutSeconds: number;
  /** Makes long-polls answer, event streams end and readiness fail; aborted first when stopping. */
  stopping: AbortController;
}

export interface RunningServer {
  /** `http://<host>:<port>` */
  url: string;
  port: number;
  /**
   * Stops listening, lets requests in flight end for at most `graceMs`, then closes what is left.
   * Resolves to the number of requests that were cut off.
   */
  stop(graceMs: number): Promise<number>;
}

/** Above any body that comes: each operation has a bound of its own, and bodies of lines have one for a line alone. */
const MAX_BODY_BYTES = 2 ** 50;

/** @throws the system's error (`EADDRINUSE`, `EACCES`) where the address cannot be had. */
export function startServer(options: ServerOptions): RunningServer {
  const { app, host, port, idleTimeoutSeconds, stopping } = options;
  const server = Bun.serve({
    hostname: host,
    port,
    idleTimeout: idleTimeoutSeconds,
    maxRequestBodySize: MAX_BODY_BYTES,
    development: false,
    // Or a second server would share the port, and each would get some of the connections.
    reusePort: false,
    fetch: (request, server) => app.handle(request, connectionOf(request, server, idleTimeoutSeconds)),
  });
  const boundPort = server.port ?? port;
  let stopped: Promise<number> | null = null;
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${boundPort}`,
    port: boundPort,
    stop(graceMs) {
      stopped ??= stop(server, app, stopping, graceMs);
      return stopped;
    },
  };
}

async function stop(server: Server<undefined>, app: App, stopping: AbortController, graceMs: number): Promise<number> {
  stopping.abort();
  const grace = Promise.withResolvers<"late">();
  const timer = setTimeout(() => grace.resolve("late"), graceMs);
  // Waits for requests in flight, not for idle kept-alive connections.
  const outcome = await Promise.race([server.stop().then(() => "drained" as const), grace.promise]);
  clearTimeout(timer);
  if (outcome === "drained") return 0;
  const cut = app.inFlight();
  await server.stop(true);
  return cut;
}

function connectionOf(request: Request, server: Server<undefined>, idleTimeoutSeconds: number): Connection {
  let open = false;
  return {
    get address() {
      return server.requestIP(request)?.address ?? "";
    },
    keepOpen() {
      open = true;
      server.timeout(request, 0);
    },
    limitAgain() {
      if (open) server.timeout(request, idleTimeoutSeconds);
    },
  };
}
