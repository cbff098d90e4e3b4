import type { TestServer } from "../helpers/server.ts";
import { json, upload } from "../helpers/api.ts";
import { waitFor } from "../helpers/wait.ts";

/** A store filled through the API, and searches in it. */
export interface FilledStore {
  id: string;
  /** What it was uploaded as, by the file's id. */
  documentOf(fileId: string): string;
  search(query: string, mode: SearchMode): Promise<{ hits: Hit[]; ms: number }>;
  remove(): Promise<void>;
}

/** What a search is made of. `hybrid`: the two legs fused; `rescored`: the default, which adds the second stage. */
const ASKED = {
  keyword: { search_mode: "keyword" },
  vector: { search_mode: "vector" },
  hybrid: { search_mode: "hybrid", ranking_options: { ranker: "none" } },
  rescored: { search_mode: "hybrid" },
} as const;
export type SearchMode = keyof typeof ASKED;
export const MODES = Object.keys(ASKED) as SearchMode[];

export interface Hit {
  /** The name that the document was uploaded under. */
  document: string;
  start: number;
  end: number;
  score: number;
}

export interface Chunking {
  max_chunk_size_tokens: number;
  chunk_overlap_tokens: number;
}

const UPLOADS_AT_ONCE = 16;
const BATCH = 500;
const LONGEST_BATCH_MS = 3_600_000;
/** More than ten: several hits may be chunks of one document. */
const RESULTS = 50;

/** Documents that a server has, for any number of stores. */
export interface Uploaded {
  ids: readonly string[];
  /** What it was uploaded as, by the file's id. */
  documentOf(fileId: string): string;
}

export interface StoreWish {
  name: string;
  /** The server's default where none is named. */
  embedding_model?: string;
}

export async function fillStore(
  server: TestServer,
  name: string,
  documents: readonly { id: string; name?: string; text: string }[],
  chunking: Chunking | null,
): Promise<FilledStore> {
  return await storeOf(server, { name }, await uploadDocuments(server, documents), chunking);
}

export async function uploadDocuments(
  server: TestServer,
  documents: readonly { id: string; name?: string; text: string }[],
): Promise<Uploaded> {
  const ids: string[] = [];
  const names = new Map<string, string>();
  for (let at = 0; at < documents.length; at += UPLOADS_AT_ONCE) {
    const group = documents.slice(at, at + UPLOADS_AT_ONCE);
    const made = await Promise.all(
      group.map(({ name, text }, i) => upload(server, name ?? `document-${at + i}.txt`, text)),
    );
    made.forEach((id, i) => names.set(id, group[i]?.id ?? ""));
    ids.push(...made);
  }
  return { ids, documentOf: (fileId) => names.get(fileId) ?? "" };
}

/** A new store of what was uploaded, searchable. */
export async function storeOf(
  server: TestServer,
  wish: StoreWish,
  { ids, documentOf }: Uploaded,
  chunking: Chunking | null,
): Promise<FilledStore> {
  const store = await json<{ id: string }>(server, "POST", "/v1/vector_stores", wish);
  for (let at = 0; at < ids.length; at += BATCH) {
    const files = ids.slice(at, at + BATCH).map((file_id) => ({ file_id }));
    await attach(server, store.id, files, chunking);
  }
  return {
    id: store.id,
    documentOf,
    async search(query, mode) {
      const startedAt = performance.now();
      const page = await json<{ data: { file_id: string; start_offset: number; end_offset: number; score: number }[] }>(
        server,
        "POST",
        `/v1/vector_stores/${store.id}/search`,
        { query, max_num_results: RESULTS, ...ASKED[mode] },
      );
      const hits = page.data.map((hit) => ({
        document: documentOf(hit.file_id),
        start: hit.start_offset,
        end: hit.end_offset,
        score: hit.score,
      }));
      return { hits, ms: performance.now() - startedAt };
    },
    async remove() {
      await server.fetch(`/v1/vector_stores/${store.id}`, { method: "DELETE" });
    },
  };
}

async function attach(
  server: TestServer,
  storeId: string,
  files: { file_id: string }[],
  chunking: Chunking | null,
): Promise<void> {
  const chunking_strategy = chunking === null ? { type: "auto" } : { type: "static", static: chunking };
  const path = `/v1/vector_stores/${storeId}/file_batches`;
  const { id } = await json<Batch>(server, "POST", path, { files, chunking_strategy });
  const batch = await waitFor(
    "a batch of files is indexed",
    async () => {
      const now = await json<Batch>(server, "GET", `${path}/${id}`);
      return now.status === "in_progress" ? undefined : now;
    },
    LONGEST_BATCH_MS,
  );
  if (batch.file_counts.completed !== files.length)
    throw new Error(`only ${batch.file_counts.completed} of ${files.length} files were indexed`);
}

interface Batch {
  id: string;
  status: string;
  file_counts: { completed: number };
}
