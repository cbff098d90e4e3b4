import type { StoreApp } from "../../app/testing/store-app.ts";

/** Members that tests look into. */
// oxlint-disable-next-line typescript/no-explicit-any
type Json = any;

export interface Told {
  status: number;
  headers: Headers;
  json: Json;
}

export interface Sending {
  /** `/mcp`, or that of one store. */
  path?: string;
  key?: string;
  headers?: Record<string, string>;
}

const VERSION = "2026-07-28";

/** What a request of the newer revision carries. */
export const ENVELOPE = {
  "io.modelcontextprotocol/protocolVersion": VERSION,
  "io.modelcontextprotocol/clientCapabilities": {},
  "io.modelcontextprotocol/clientInfo": { name: "test", version: "1" },
};

export async function send(
  f: StoreApp,
  body: unknown,
  { path = "/mcp", key, headers = {} }: Sending = {},
): Promise<Told> {
  const auth = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const { status, headers: answered, json } = await f.call("POST", path, body, { ...auth, ...headers });
  return { status, headers: answered, json };
}

/** A message of the older revisions. */
export async function ask(f: StoreApp, method: string, params: object = {}, sending: Sending = {}): Promise<Told> {
  return await send(f, { jsonrpc: "2.0", id: 7, method, params }, sending);
}

/** A message of the newer revision, with the headers that it wants. */
export async function askModern(
  f: StoreApp,
  method: string,
  params: object = {},
  sending: Sending = {},
): Promise<Told> {
  const name = "name" in params && typeof params.name === "string" ? { "mcp-name": params.name } : {};
  const headers = { "mcp-protocol-version": VERSION, "mcp-method": method, ...name, ...sending.headers };
  return await ask(f, method, { _meta: ENVELOPE, ...params }, { ...sending, headers });
}

/** What a tool gives; a text where it says what is wrong. */
export async function callTool(f: StoreApp, name: string, args: object, sending: Sending = {}): Promise<Json> {
  const { status, json } = await ask(f, "tools/call", { name, arguments: args }, sending);
  if (status !== 200 || json.result === undefined) throw new Error(`${name}: ${status} ${JSON.stringify(json)}`);
  const { content, structuredContent, isError } = json.result;
  if (isError === true) return String(content[0].text);
  if (content.length !== 1 || JSON.stringify(structuredContent) !== content[0].text)
    throw new Error(`${name} says something else in its text`);
  return structuredContent;
}
