/** What is counted of the whole, and every metric that there is. */
import { EXTRACTIVE_MODEL } from "../answers/limits.ts";
import * as http from "../http/metrics.ts";
import * as jobs from "../jobs/metrics.ts";
import * as models from "../models/metrics.ts";
import {
  type Counter,
  counter,
  type Gauge,
  gauge,
  type Histogram,
  histogram,
  type Metrics,
} from "../platform/metrics.ts";
import type { SearchRecord } from "../search/record.ts";

export const SEARCHES = counter(
  "lectern_searches_total",
  "Searches answered, by what found the nearest vectors (none: keywords only)",
  ["index"],
);
const SEARCH_STAGE = histogram("lectern_search_stage_seconds", "Time that each stage of a search took", ["stage"]);
export const INGEST_STAGE = histogram("lectern_ingest_stage_seconds", "Time that each stage of indexing a file took", [
  "stage",
]);
export const EMBEDDED_TOKENS = counter(
  "lectern_embedded_tokens_total",
  "Model tokens of passages that were embedded for stores, by model",
  ["model"],
);
export const EMBEDDING_CACHE = counter(
  "lectern_embedding_cache_total",
  "Texts looked up among the vectors kept, by whether they were found",
  ["found"],
);
export const EMBEDDING_CACHE_BYTES = gauge("lectern_embedding_cache_bytes", "Vectors kept in the embedding cache");
export const ANSWERS = counter("lectern_answers_total", "Answers, by what gave them and how they ended", [
  "mode",
  "end",
]);
/** Label of what gave an answer. */
export const answerMode = (model: string) => (model === EXTRACTIVE_MODEL ? "extractive" : "model");
export const CHAT_CALLS = counter("lectern_chat_calls_total", "Calls of chat models, by model and outcome", [
  "model",
  "outcome",
]);
export const CHAT_TOKENS = counter(
  "lectern_chat_tokens_total",
  "Tokens that chat models were given and gave, as their servers tell, by model and kind",
  ["model", "kind"],
);
export const CHAT_FIRST_TOKEN = histogram(
  "lectern_chat_first_token_seconds",
  "Time until the first piece of a chat model's answer, by model",
  ["model"],
);
export const CHAT_WAITING = gauge("lectern_chat_waiting", "Calls of chat models that wait for their turn");
export const RERANKS = counter(
  "lectern_reranks_total",
  "Queries whose candidates were reranked, by model and outcome",
  ["model", "outcome"],
);
export const RERANKED_DOCUMENTS = counter("lectern_reranked_documents_total", "Documents read by rerankers", ["model"]);
export const RERANKED_TOKENS = counter(
  "lectern_reranked_tokens_total",
  "Tokens of a reranker's pairs; of the texts where the bundled ranking ran",
  ["model"],
);
export const RERANK_SECONDS = histogram(
  "lectern_rerank_seconds",
  "Time that reranking the documents of one query took, waiting included",
  ["model"],
);
export const JOBS_WAITING = gauge("lectern_jobs_waiting", "Jobs waiting, by kind", ["kind"]);
export const JOBS_RUNNING = gauge("lectern_jobs_running", "Jobs running, by kind", ["kind"]);
export const INDEX_BYTES = gauge("lectern_index_bytes", "Memory of open indexes");
export const INDEX_CHUNKS = gauge("lectern_index_chunks", "Chunks in open indexes");
export const INDEX_VECTORS = gauge("lectern_index_vectors", "Vectors in open indexes");
export const INDEXES_OPEN = gauge("lectern_indexes_open", "Indexes in memory");
export const INDEX_MAPPED_BYTES = gauge(
  "lectern_index_mapped_bytes",
  "Bytes of index images that are mapped: file pages, which the system takes back when it needs memory",
);
export const INDEX_IMAGES = counter(
  "lectern_index_images_total",
  "Index images, by what came of them: opened, written, failed, or why one was not used",
  ["outcome"],
);
export const LANE_BUSY = gauge("lectern_lane_busy", "Workers busy, by lane", ["lane"]);
export const LANE_WAITING = gauge("lectern_lane_waiting", "Calls waiting for a worker, by lane", ["lane"]);
export const LANE_RESTARTS = gauge("lectern_lane_restarts", "Workers replaced, by lane", ["lane"]);
export const QUERY_LOG_WAITING = gauge("lectern_query_log_waiting", "Searches not yet written to the query log");
export const RESIDENT_BYTES = gauge("process_resident_memory_bytes", "Resident memory of the process");
export const HEAP_BYTES = gauge(
  "lectern_heap_bytes",
  "Memory of the JavaScript heap of the thread that serves requests: used by objects, beside them (buffers, texts), and taken from the system for objects",
  ["part"],
);
export const WORKER_RESIDENT_BYTES = gauge(
  "lectern_worker_resident_bytes",
  "Resident memory of the processes that read documents and scans and write index images, in addition to that of the server's process",
);

export const OPEN_FDS = gauge("process_open_fds", "Files and connections that the process has open");
export const MAX_FDS = gauge("process_max_fds", "Files and connections that the process may have open");
export const EVENT_LOOP_STALL = gauge(
  "lectern_event_loop_stall_seconds",
  "Longest time on a core that the thread that serves requests gave to one piece of work since this was last read",
);

/** By name. */
export const ALL_METRICS: readonly (Counter | Gauge | Histogram)[] = [
  ...Object.values(http),
  ...Object.values(jobs),
  ...Object.values(models),
  SEARCHES,
  SEARCH_STAGE,
  INGEST_STAGE,
  EMBEDDED_TOKENS,
  EMBEDDING_CACHE,
  EMBEDDING_CACHE_BYTES,
  ANSWERS,
  CHAT_CALLS,
  CHAT_TOKENS,
  CHAT_FIRST_TOKEN,
  CHAT_WAITING,
  RERANKS,
  RERANKED_DOCUMENTS,
  RERANKED_TOKENS,
  RERANK_SECONDS,
  JOBS_WAITING,
  JOBS_RUNNING,
  INDEX_BYTES,
  INDEX_CHUNKS,
  INDEX_VECTORS,
  INDEXES_OPEN,
  INDEX_MAPPED_BYTES,
  INDEX_IMAGES,
  LANE_BUSY,
  LANE_WAITING,
  LANE_RESTARTS,
  QUERY_LOG_WAITING,
  RESIDENT_BYTES,
  HEAP_BYTES,
  OPEN_FDS,
  MAX_FDS,
  EVENT_LOOP_STALL,
  WORKER_RESIDENT_BYTES,
].sort((a, b) => a.name.localeCompare(b.name));

/** A search, in the metrics. */
export function countSearch(metrics: Metrics, { index, latencyMs }: SearchRecord): void {
  const { embed, vector, keyword, rerank, fetch } = latencyMs;
  metrics.count(SEARCHES, { index });
  metrics.observe(SEARCH_STAGE, embed / 1000, { stage: "embed" });
  metrics.observe(SEARCH_STAGE, (vector + keyword) / 1000, { stage: "rank" });
  if (rerank > 0) metrics.observe(SEARCH_STAGE, rerank / 1000, { stage: "rerank" });
  metrics.observe(SEARCH_STAGE, fetch / 1000, { stage: "fetch" });
}
