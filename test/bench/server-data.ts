/** Documents going into a server, and waiting until they are in. */
import { json, upload } from "../helpers/api.ts";
import { memoryOf } from "../helpers/process-memory.ts";
import type { TestServer } from "../helpers/server.ts";
import { waitFor } from "../helpers/wait.ts";

const UPLOADS_AT_ONCE = 8;
const FILES_A_BATCH = 2000;

export async function uploadAll(server: TestServer, texts: readonly string[]): Promise<string[]> {
  const ids: string[] = [];
  let next = 0;
  const lane = async () => {
    for (let i = next++; i < texts.length; i = next++)
      ids[i] = await upload(server, `document-${i}.txt`, texts[i] ?? "");
  };
  await Promise.all(Array.from({ length: UPLOADS_AT_ONCE }, lane));
  return ids;
}

export async function attachAll(server: TestServer, storeId: string, ids: readonly string[]): Promise<void> {
  for (let i = 0; i < ids.length; i += FILES_A_BATCH) {
    const file_ids = ids.slice(i, i + FILES_A_BATCH);
    await json(server, "POST", `/v1/vector_stores/${storeId}/file_batches`, { file_ids });
  }
}

export interface Store {
  usage_bytes: number;
  file_counts: { in_progress: number; completed: number; failed: number };
  index: { type: "exact" | "hnsw"; chunks: number; vectors: number };
}

export async function storeOf(server: TestServer, storeId: string): Promise<Store> {
  return await json<Store>(server, "GET", `/v1/vector_stores/${storeId}`);
}

/** Resolves with the store when no file of it is in progress; rejects when one failed. */
export async function settled(server: TestServer, storeId: string, timeoutMs = 900_000): Promise<Store> {
  return await waitFor(
    "the store is indexed",
    async () => {
      const store = await storeOf(server, storeId);
      if (store.file_counts.failed > 0) throw new Error(`${store.file_counts.failed} files failed`);
      return store.file_counts.in_progress === 0 ? store : undefined;
    },
    timeoutMs,
  );
}

/** Chunk texts of a store, up to `most` of them. */
export async function chunkTexts(server: TestServer, storeId: string, most: number): Promise<string[]> {
  const page = await json<{ data: { text: string }[] }>(
    server,
    "GET",
    `/v1/vector_stores/${storeId}/chunks?limit=${Math.min(100, most)}`,
  );
  return page.data.map(({ text }) => text);
}

/** Bytes on disk below a directory. */
export async function diskBytes(directory: string): Promise<number> {
  return Number((await Bun.$`du -sb ${directory}`.quiet().text()).split("\t")[0]);
}

/** A metric of /metrics, 0 while it has none. */
export async function metricOf(server: TestServer, series: string): Promise<number> {
  const text = await (await server.fetch("/metrics")).text();
  const line = text.split("\n").find((one) => one.startsWith(`${series} `));
  return Number(line?.slice(series.length + 1) ?? 0);
}

/** Resident bytes once they have not grown by a MiB for two seconds: the lanes load their models after the start. */
export async function steadyMemory(pid: number): Promise<number> {
  let highest = 0;
  let sinceMs = performance.now();
  return await waitFor("memory is steady", () => {
    const { residentBytes } = memoryOf(pid);
    if (residentBytes > highest + 2 ** 20) [highest, sinceMs] = [residentBytes, performance.now()];
    return performance.now() - sinceMs > 2000 ? residentBytes : undefined;
  });
}
