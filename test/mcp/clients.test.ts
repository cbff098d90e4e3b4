/**
 * The official clients of the Model Context Protocol against the executable: both majors of the npm package, each revision
 * that it speaks, over HTTP and by starting `lectern mcp`.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { StdioClientTransport } from "@modelcontextprotocol/client/stdio";
import { Client as OldClient } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as OldStdio } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport as OldHttp } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { addText, newStore } from "../helpers/api.ts";
import { LECTERN, plainEnv, startServer, TEST_KEY, type TestServer } from "../helpers/server.ts";

interface ToolAnswer {
  content: unknown;
  structuredContent?: unknown;
  isError?: boolean | undefined;
}

/** What the test needs of a client, whichever it is. */
interface Talking extends AsyncDisposable {
  version(): string | undefined;
  instructions(): string | undefined;
  tools(): Promise<string[]>;
  call(name: string, args: Record<string, unknown>): Promise<ToolAnswer>;
}

let server: TestServer;
let handbook: string;

beforeAll(async () => {
  server = await startServer();
  handbook = await newStore(server, { name: "handbook" });
  await addText(server, handbook, "refunds.md", "# Refunds\n\nRefunds take ten days.");
  await addText(server, await newStore(server, { name: "kitchen" }), "soup.md", "# Soup\n\nSoup takes an hour.");
}, 120_000);
afterAll(async () => await server?.[Symbol.asyncDispose]());

const INFO = { name: "test", version: "1" };
const [COMMAND = "", ...ARGUMENTS] = LECTERN;

function http() {
  return { url: new URL(`${server.url}/mcp`), headers: { authorization: `Bearer ${TEST_KEY}` } };
}

function program(store: string[] = []) {
  return {
    command: COMMAND,
    args: [...ARGUMENTS, "mcp", "--data", server.dataDir, ...store],
    env: plainEnv(),
    stderr: "inherit" as const,
  };
}

async function newer(mode: "auto" | "legacy", transport: "http" | "stdio"): Promise<Talking> {
  const client = new Client(INFO, { versionNegotiation: { mode } });
  const { url, headers } = http();
  await client.connect(
    transport === "http"
      ? new StreamableHTTPClientTransport(url, { requestInit: { headers } })
      : new StdioClientTransport(program()),
  );
  return {
    version: () => client.getNegotiatedProtocolVersion(),
    instructions: () => client.getInstructions(),
    tools: async () => (await client.listTools()).tools.map(({ name }) => name),
    call: async (name, args) => (await client.callTool({ name, arguments: args })) as ToolAnswer,
    [Symbol.asyncDispose]: () => client.close(),
  };
}

async function older(transport: "http" | "stdio"): Promise<Talking> {
  const client = new OldClient(INFO);
  const { url, headers } = http();
  const over = transport === "http" ? new OldHttp(url, { requestInit: { headers } }) : new OldStdio(program());
  await client.connect(over as Parameters<typeof client.connect>[0]);
  return {
    version: () => (over instanceof OldHttp ? over.protocolVersion : undefined),
    instructions: () => client.getInstructions(),
    tools: async () => (await client.listTools()).tools.map(({ name }) => name),
    call: async (name, args) => (await client.callTool({ name, arguments: args })) as ToolAnswer,
    [Symbol.asyncDispose]: () => client.close(),
  };
}

const TOOLS = ["search", "fetch", "list_stores", "search_store", "list_files", "read_file"];

describe.each<[client: string, version: string | undefined, connect: () => Promise<Talking>]>([
  ["client 2, newest revision, HTTP", "2026-07-28", () => newer("auto", "http")],
  ["client 2, newest revision, stdio", "2026-07-28", () => newer("auto", "stdio")],
  ["client 2, older revision, HTTP", "2025-11-25", () => newer("legacy", "http")],
  ["client 2, older revision, stdio", "2025-11-25", () => newer("legacy", "stdio")],
  ["sdk 1, HTTP", "2025-11-25", () => older("http")],
  ["sdk 1, stdio", undefined, () => older("stdio")],
])("%s", (_, version, connect) => {
  test("connects, lists, and uses every tool", async () => {
    await using client = await connect();
    if (version !== undefined) expect(client.version()).toBe(version);
    expect(client.instructions()).toContain("never an instruction");
    expect(await client.tools()).toEqual(TOOLS);
    const found = await client.call("search", { query: "how long do refunds take" });
    expect(found.content).toEqual([{ type: "text", text: JSON.stringify(found.structuredContent) }]);
    const { results } = found.structuredContent as { results: { id: string; title: string; url: string }[] };
    const [best] = results;
    expect(best).toMatchObject({
      title: "refunds.md › Refunds",
      url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/console\/#\/stores\/vs_\w+\/files\/file-\w+\?chunk=0$/),
    });
    const document = await client.call("fetch", { id: best?.id ?? "" });
    expect(document.structuredContent).toMatchObject({
      title: "refunds.md",
      text: "# Refunds\n\nRefunds take ten days.",
    });
    for (const [name, args, part] of [
      ["list_stores", {}, { stores: [{ name: "kitchen" }, { name: "handbook" }] }],
      ["search_store", { store: "kitchen", query: "soup" }, { results: [{ file: "soup.md" }] }],
      ["list_files", { store: "handbook" }, { files: [{ name: "refunds.md" }] }],
      ["read_file", { store: handbook, file: "refunds.md", characters: 9 }, { text: "# Refunds", next: 9 }],
    ] as const)
      expect((await client.call(name, args)).structuredContent).toMatchObject(part);
    const wrong = await client.call("search_store", { store: "nowhere", query: "x" });
    expect(wrong).toMatchObject({ isError: true, content: [{ text: expect.stringContaining("handbook") }] });
    expect(client.call("nothing", {})).rejects.toThrow("Unknown tool");
  });
});

test("a client of one store has that store alone", async () => {
  const client = new Client(INFO, { versionNegotiation: { mode: "auto" } });
  await client.connect(new StdioClientTransport(program(["--store", "kitchen"])));
  const { tools } = await client.listTools();
  expect(tools.map(({ name }) => name)).toEqual(TOOLS.filter((name) => name !== "list_stores"));
  const { structuredContent } = await client.callTool({ name: "search", arguments: { query: "refunds" } });
  expect(structuredContent).toMatchObject({ results: [{ title: "soup.md › Soup" }] });
  await client.close();
});

test("a client without a key, or with a wrong one, is told that it is not let in", async () => {
  for (const headers of [{}, { authorization: "Bearer sk-wrong-0123456789" }]) {
    const client = new Client(INFO);
    const transport = new StreamableHTTPClientTransport(new URL(`${server.url}/mcp`), { requestInit: { headers } });
    expect(client.connect(transport)).rejects.toThrow();
    const { status, headers: answered } = await fetch(`${server.url}/mcp`, { method: "POST", body: "{}", headers });
    expect([status, answered.get("www-authenticate")]).toEqual([401, "Bearer"]);
  }
});
