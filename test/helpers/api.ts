import { expect } from "bun:test";
import type { TestServer } from "./server.ts";
import { waitFor } from "./wait.ts";

export interface ApiError {
  status: number;
  message: string;
  type: string;
  param: string | null;
  code: string | null;
}

/** A request that must be refused; checks that the answer is OpenAI's error envelope with exactly its four keys. */
export async function refusal(
  server: TestServer,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<ApiError> {
  const init: RequestInit = { method, headers };
  if (body !== undefined) {
    const raw = typeof body === "string" || body instanceof FormData || body instanceof Uint8Array;
    init.body = raw ? (body as string | FormData | Uint8Array<ArrayBuffer>) : JSON.stringify(body);
    if (!(body instanceof FormData)) init.headers = { "content-type": "application/json", ...headers };
  }
  return await errorOf(await server.fetch(path, init));
}

export async function errorOf(response: Response): Promise<ApiError> {
  const text = await response.text();
  expect([response.status >= 400, text]).toEqual([true, expect.stringMatching(/^\{"error":\{/)]);
  expect(response.headers.get("content-type")).toStartWith("application/json");
  expect(response.headers.get("x-request-id")).toBeTruthy();
  const { error } = JSON.parse(text) as { error: Omit<ApiError, "status"> };
  expect(Object.keys(error).toSorted()).toEqual(["code", "message", "param", "type"]);
  expect(error.message.length).toBeGreaterThan(0);
  return { status: response.status, ...error };
}

export async function json<T>(server: TestServer, method: string, path: string, body?: unknown): Promise<T> {
  const init: RequestInit = { method };
  if (body !== undefined)
    Object.assign(init, { body: JSON.stringify(body), headers: { "content-type": "application/json" } });
  const response = await server.fetch(path, init);
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return JSON.parse(text) as T;
}

/** Uploads bytes under a name; resolves to the file's id. */
export async function upload(server: TestServer, name: string, content: string | Uint8Array | Blob): Promise<string> {
  const form = new FormData();
  form.set("purpose", "assistants");
  form.set("file", content instanceof Blob ? content : new Blob([content as string | Uint8Array<ArrayBuffer>]), name);
  const response = await server.fetch("/v1/files", { method: "POST", body: form });
  const text = await response.text();
  if (!response.ok) throw new Error(`upload of ${name}: ${response.status} ${text}`);
  return (JSON.parse(text) as { id: string }).id;
}

export interface StoreFile {
  id: string;
  status: "in_progress" | "completed" | "failed" | "cancelled";
  last_error: { code: string; message: string } | null;
  usage_bytes: number;
  attributes: Record<string, unknown> | null;
}

/** Waits until a file of a store is no longer in progress. */
export async function settled(
  server: TestServer,
  storeId: string,
  fileId: string,
  timeoutMs = 100_000,
): Promise<StoreFile> {
  return await waitFor(
    `file ${fileId} settles`,
    async () => {
      const file = await json<StoreFile>(server, "GET", `/v1/vector_stores/${storeId}/files/${fileId}`);
      return file.status === "in_progress" ? undefined : file;
    },
    timeoutMs,
  );
}

export interface SearchHit {
  file_id: string;
  filename: string;
  score: number;
  attributes: Record<string, unknown> | null;
  content: { type: string; text: string }[];
  page?: number | null;
}

export async function search(server: TestServer, storeId: string, body: Record<string, unknown>): Promise<SearchHit[]> {
  return (await json<{ data: SearchHit[] }>(server, "POST", `/v1/vector_stores/${storeId}/search`, body)).data;
}

export async function newStore(server: TestServer, body: Record<string, unknown> = {}): Promise<string> {
  return (await json<{ id: string }>(server, "POST", "/v1/vector_stores", body)).id;
}

/** Uploads and attaches a text and waits until it can be searched; resolves to the file's id. */
export async function addText(
  server: TestServer,
  storeId: string,
  name: string,
  text: string,
  attributes?: Record<string, unknown>,
): Promise<string> {
  const id = await upload(server, name, text);
  await json(server, "POST", `/v1/vector_stores/${storeId}/files`, { file_id: id, ...(attributes && { attributes }) });
  const file = await settled(server, storeId, id);
  if (file.status !== "completed") throw new Error(`${name}: ${file.last_error?.message}`);
  return id;
}

/** What the proof of a deletion counts, where all is gone. */
export const NOTHING_LEFT = {
  files: 0,
  chunks: 0,
  vectors: 0,
  keyword_postings: 0,
  cache_entries: 0,
  bytes: 0,
  results: 0,
  answers: 0,
};
