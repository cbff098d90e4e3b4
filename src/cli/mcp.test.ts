import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { waitFor } from "../../test/helpers/wait.ts";
import { storeApp, type StoreApp } from "../app/testing/store-app.ts";
import type { Connection } from "./connect.ts";
import { McpBridge } from "./mcp-bridge.ts";
import { lectern, type ServedApp, serveApp } from "./testing/command.ts";

interface Answered {
  id: string | number | null;
  result?: { tools?: { name: string }[]; content?: { text: string }[] };
  error?: { code: number; message: string };
}

const LIST = { jsonrpc: "2.0", id: 1, method: "tools/list" };

async function* bytes(...lines: (object | string)[]): AsyncGenerator<Uint8Array> {
  for (const line of lines)
    yield new TextEncoder().encode(`${typeof line === "string" ? line : JSON.stringify(line)}\n`);
}

/** As a program that waits for all of its answers before it closes its end. */
async function* until(lines: AsyncIterable<Uint8Array>, done: () => boolean): AsyncGenerator<Uint8Array> {
  yield* lines;
  await waitFor("the answers", () => done() || undefined);
}

describe("lectern mcp", () => {
  let f: StoreApp;
  let served: ServedApp;
  beforeEach(async () => {
    f = await storeApp();
    served = serveApp(f);
    await f.call("POST", "/v1/vector_stores", { name: "handbook" });
  });
  afterEach(async () => {
    await served[Symbol.asyncDispose]();
    await f[Symbol.asyncDispose]();
  });

  async function talk(argv: string[], answers: number, ...lines: (object | string)[]): Promise<Answered[]> {
    const out: string[] = [];
    const input = () => until(bytes(...lines), () => out.length >= answers);
    const said = await served.run(["mcp", ...argv], { input, out: (text) => void out.push(text) });
    expect(said.status).toBe(0);
    expect(out.every((text) => text.indexOf("\n") === text.length - 1)).toBe(true);
    return out.map((text) => JSON.parse(text) as Answered).sort((a, b) => Number(a.id) - Number(b.id));
  }

  test("carries messages to the server and its answers back, a line each", async () => {
    const call = { name: "list_stores", arguments: {} };
    const answers = await talk([], 2, LIST, { jsonrpc: "2.0", method: "notifications/initialized" }, "", {
      jsonrpc: "2.0",
      id: 2,
      method: "tools/call",
      params: call,
    });
    expect(answers.map(({ id }) => id)).toEqual([1, 2]);
    expect(answers[0]?.result?.tools).toHaveLength(6);
    expect(answers[1]?.result?.content?.[0]?.text).toContain("handbook");
  });

  test("of one store has that store's tools; of an unknown one it says so", async () => {
    const [answer] = await talk(["--store", "handbook"], 1, LIST);
    expect(answer?.result?.tools).toHaveLength(5);
    const [refused] = await talk(["--store", "no where"], 1, LIST);
    expect(refused).toMatchObject({ id: 1, error: { message: "No vector store found with id 'no where'" } });
  });

  test("answers what is no message and goes on", async () => {
    const long = JSON.stringify({ ...LIST, params: { x: "y".repeat(2 * 1024 * 1024) } });
    const answers = await talk([], 4, "{bad", "[]", long, LIST);
    expect(answers.map(({ error }) => error?.code)).toEqual(
      expect.arrayContaining([-32700, -32600, -32603, undefined]),
    );
    expect(answers.find(({ id }) => id === 1)?.result?.tools).toHaveLength(6);
  });

  test("ends when its input does, also where nothing came", async () => {
    expect(await served.run(["mcp"], { input: () => bytes() })).toMatchObject({ status: 0, out: "" });
  });

  test("takes options only", async () => {
    expect((await lectern(["mcp", "handbook"])).err).toStartWith("lectern: lectern mcp takes options only");
  });
});

describe("the bridge", () => {
  /** A server that answers as `answer` says, and how often it was looked for and let go of. */
  function bridgeTo(answer: (request: Request) => Response | Promise<Response>) {
    const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: answer });
    const seen = { found: 0, freed: 0, lines: [] as string[] };
    const connect = (): Promise<Connection> => {
      seen.found += 1;
      const client = {
        server: { url: `http://127.0.0.1:${server.port}`, key: `k${seen.found}` },
        send: () => Promise.reject(),
      };
      return Promise.resolve({
        client,
        [Symbol.asyncDispose]: () => Promise.resolve(void (seen.freed += 1)),
      } as Connection);
    };
    const deps = {
      connect,
      path: "/mcp",
      write: (line: string) => void seen.lines.push(line),
      warn: () => {},
      idleMs: 20,
    };
    return { bridge: new McpBridge(deps), seen, server };
  }

  const ANSWER = { jsonrpc: "2.0", id: 1, result: {} };

  test("lets the server go when nothing was asked for a while, and looks for it again", async () => {
    const { bridge, seen, server } = bridgeTo(() => Response.json(ANSWER));
    await bridge.take(JSON.stringify(LIST));
    await waitFor("it is let go", () => seen.freed === 1 || undefined);
    await bridge.take(JSON.stringify(LIST));
    await waitFor("a second answer", () => seen.lines.length === 2 || undefined);
    expect(seen.found).toBe(2);
    await bridge[Symbol.asyncDispose]();
    await server.stop(true);
  });

  test("does not answer a message that was cancelled, and tells the server", async () => {
    const gone = Promise.withResolvers<void>();
    const { bridge, seen, server } = bridgeTo(async (request) => {
      request.signal.addEventListener("abort", () => gone.resolve());
      await gone.promise;
      return Response.json(ANSWER);
    });
    await bridge.take(JSON.stringify(LIST));
    await waitFor("it is asked", () => server.pendingRequests === 1 || undefined);
    await bridge.take(JSON.stringify({ method: "notifications/cancelled", params: { requestId: 1 } }));
    await gone.promise;
    await waitFor("it is let go", () => seen.freed === 1 || undefined);
    expect(seen.lines).toEqual([]);
    await bridge[Symbol.asyncDispose]();
    await server.stop(true);
  });

  test("comes again where a server has too much to do, and looks for it anew where its key is another one", async () => {
    const keys: (string | null)[] = [];
    const { bridge, seen, server } = bridgeTo(({ headers }) => {
      keys.push(headers.get("authorization"));
      if (keys.length === 1) return new Response("{}", { status: 401 });
      if (keys.length === 2) return new Response("{}", { status: 429, headers: { "retry-after": "0" } });
      return Response.json(ANSWER);
    });
    await bridge.take(JSON.stringify(LIST));
    await waitFor("an answer", () => seen.lines.length === 1 || undefined);
    expect(keys).toEqual(["Bearer k1", "Bearer k2", "Bearer k2"]);
    expect(JSON.parse(seen.lines[0] ?? "")).toEqual(ANSWER);
    await bridge[Symbol.asyncDispose]();
    await server.stop(true);
  });

  test("says where no server answers", async () => {
    const { bridge, seen, server } = bridgeTo(() => Response.json(ANSWER));
    await server.stop(true);
    await bridge.take(JSON.stringify(LIST));
    await waitFor("an answer", () => seen.lines.length === 1 || undefined);
    expect(JSON.parse(seen.lines[0] ?? "")).toMatchObject({
      id: 1,
      error: { message: expect.stringContaining("cannot be reached") },
    });
    await bridge[Symbol.asyncDispose]();
  });
});
