/**
 * Two servers on one database as one, behind a proxy that gives each request to the other one than the request before it:
 * no client stays with a server. Suites that start servers run over pairs with LECTERN_TEST_SERVERS=two.
 */
import { mkdirSync } from "node:fs";
import { testDatabase } from "../cluster/servers/postgres.ts";
import { asking } from "./asking.ts";
import type { StartOptions, TestServer } from "./server.ts";

export const OVER_TWO = process.env["LECTERN_TEST_SERVERS"] === "two";

export interface Pair extends TestServer {
  readonly servers: readonly [TestServer, TestServer];
}

/** Options of servers that have one database, and one directory of uploaded bytes, which is made. */
export function sharedOptions(database: string, blobs: string): string[] {
  mkdirSync(blobs, { recursive: true });
  return ["--database", database, "--blobs", `file://${blobs}`];
}

/** A data directory that is started again has the database that it had. */
const databases = new Map<string, Promise<string>>();

/** Two servers, and the one address at which both are reached. */
export interface Two<S> {
  readonly servers: readonly [S, S];
  readonly url: string;
  /** Nothing is passed on any more; what is under way is cut off. */
  end(): Promise<void>;
}

/**
 * `start`: starts one in a data directory, with arguments more. The second has its data beside the first's, and both keep
 * bytes in one directory. `port`: of the address, for a pair that comes back to where it was.
 */
export async function startTwo<S extends { readonly url: string }>(
  dataDir: string,
  start: (dataDir: string, args: readonly string[]) => Promise<S>,
  port = 0,
): Promise<Two<S>> {
  let database = databases.get(dataDir);
  if (database === undefined) databases.set(dataDir, (database = testDatabase()));
  const shared = sharedOptions(await database, `${dataDir}-blobs`);
  // One after the other, as a rolling start does it: the first makes the tables and the key.
  const first = await start(dataDir, shared);
  const second = await start(`${dataDir}-second`, shared);
  const proxy = alternating([first.url, second.url], port);
  return { servers: [first, second], url: proxy.url.origin, end: async () => await proxy.stop(true) };
}

/** Two that look like one. */
export async function startPair(
  start: (options: StartOptions) => Promise<TestServer>,
  options: StartOptions & { dataDir: string },
): Promise<Pair> {
  const { dataDir, args = [] } = options;
  const { servers, url, end } = await startTwo(dataDir, (own, more) =>
    start({ ...options, dataDir: own, args: [...args, ...more] }),
  );
  const [first, second] = servers;
  const both = async <T>(act: (server: TestServer) => Promise<T>): Promise<T> => {
    const [one] = await Promise.all([act(first), act(second)]);
    return one;
  };
  return {
    servers,
    ...asking(url, first.key),
    dataDir,
    pid: first.pid,
    startMs: first.startMs,
    log: () => first.log() + second.log(),
    async stop() {
      await end();
      return await both((server) => server.stop());
    },
    async kill() {
      await end();
      await both((server) => server.kill());
    },
    async [Symbol.asyncDispose]() {
      await end();
      await both(async (server) => await server[Symbol.asyncDispose]());
    },
  };
}

/** Passes requests on, each to the next of these addresses, with their bodies as they come. */
function alternating(urls: readonly string[], port: number) {
  let n = 0;
  return Bun.serve({
    port,
    hostname: "127.0.0.1",
    idleTimeout: 255,
    maxRequestBodySize: 2 ** 31,
    async fetch(request): Promise<Response> {
      const { pathname, search } = new URL(request.url);
      const target = urls[n++ % urls.length] ?? "";
      const init = { method: request.method, headers: request.headers, body: request.body, signal: request.signal };
      const answer = await fetch(target + pathname + search, { ...init, redirect: "manual", decompress: false });
      return new Response(answer.body, { status: answer.status, headers: answer.headers });
    },
    error: (error) => new Response(`the server behind the proxy: ${error.message}`, { status: 502 }),
  });
}
