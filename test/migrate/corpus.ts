import { cpSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { json, upload } from "../helpers/api.ts";
import { seededRandom } from "../helpers/random.ts";
import { ROOT, type TestServer } from "../helpers/server.ts";
import { waitFor } from "../helpers/wait.ts";

/** Stores, models and questions of the tests of migrations. */
export const SECOND_MODEL = "second";

const TOPICS = [
  "river",
  "engine",
  "garden",
  "harbour",
  "violin",
  "glacier",
  "market",
  "bridge",
  "lantern",
  "orchard",
  "kettle",
  "compass",
];
const VERBS = [
  "carries",
  "repairs",
  "measures",
  "paints",
  "follows",
  "borrows",
  "describes",
  "weighs",
  "opens",
  "forgets",
];
const THINGS = [
  "water",
  "steel",
  "seeds",
  "letters",
  "music",
  "stones",
  "bread",
  "timber",
  "light",
  "maps",
  "copper",
  "glass",
];

/**
 * Puts another model into the data directory: the bundled one with windows of 16 tokens, so that its vectors differ. Its
 * folder does not say that it is a table of words, so its vectors are those of windows that chunks share.
 */
export async function addSecondModel(dataDir: string): Promise<void> {
  const folder = join(dataDir, "models", SECOND_MODEL);
  mkdirSync(join(dataDir, "models"), { recursive: true });
  cpSync(join(ROOT, "models/lectern-embed-en"), folder, { recursive: true });
  await Bun.write(join(folder, "sentence_bert_config.json"), JSON.stringify({ max_seq_length: 16 }));
  const config = (await Bun.file(join(folder, "config.json")).json()) as object;
  await Bun.write(join(folder, "config.json"), JSON.stringify({ ...config, architectures: ["Reader"] }));
}

/** A text of about `chunks` chunks of 100 tokens, the same for the same seed. */
export function makeText(seed: number, chunks: number): string {
  const random = seededRandom(seed);
  const pick = (words: readonly string[]) => words[Math.floor(random() * words.length)] ?? "";
  const sentence = () =>
    `The ${pick(TOPICS)} near the ${pick(TOPICS)} ${pick(VERBS)} ${pick(THINGS)} and ${pick(THINGS)} in year ${Math.floor(random() * 900) + 1000}.`;
  return Array.from({ length: chunks * 5 }, sentence).join(" ");
}

export const QUESTIONS = TOPICS.map(
  (topic, i) => `which ${topic} ${VERBS[i % VERBS.length]} ${THINGS[i % THINGS.length]}`,
);

const STRATEGY = { type: "static", static: { max_chunk_size_tokens: 100, chunk_overlap_tokens: 0 } };

/** A store of about `files` x `chunksEach` chunks, complete when this resolves. */
export async function buildStore(
  server: TestServer,
  options: { files: number; chunksEach: number; model?: string },
): Promise<string> {
  const { files, chunksEach, model } = options;
  const store = await json<{ id: string }>(
    server,
    "POST",
    "/v1/vector_stores",
    model === undefined ? {} : { embedding_model: model },
  );
  const ids: string[] = [];
  for (let i = 0; i < files; i++) ids.push(await upload(server, `base-${i}.txt`, makeText(i + 1, chunksEach)));
  await json(server, "POST", `/v1/vector_stores/${store.id}/file_batches`, {
    file_ids: ids,
    chunking_strategy: STRATEGY,
  });
  await untilIndexed(server, store.id);
  return store.id;
}

export async function untilIndexed(server: TestServer, storeId: string): Promise<void> {
  await waitFor(
    "every file is indexed",
    async () => {
      const { file_counts } = await json<{ file_counts: { in_progress: number } }>(
        server,
        "GET",
        `/v1/vector_stores/${storeId}`,
      );
      return file_counts.in_progress === 0 ? true : undefined;
    },
    180_000,
  );
}

export interface Answer {
  generation: string;
  /** What was found, as file name and place: the same for the same content, whatever the ids. */
  hits: string[];
}

/** The vector leg alone: its answers tell the models apart. */
export async function ask(server: TestServer, storeId: string, query: string): Promise<Answer> {
  const response = await server.fetch(`/v1/vector_stores/${storeId}/search`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ query, search_mode: "vector", max_num_results: 10 }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`search: ${response.status} ${text}`);
  const page = JSON.parse(text) as { data: { filename: string; start_offset: number; score: number }[] };
  return {
    generation: response.headers.get("x-lectern-generation") ?? "",
    hits: page.data.map((hit) => `${hit.filename}@${hit.start_offset}=${hit.score.toFixed(3)}`),
  };
}

export interface MigrationState {
  id: string;
  status: string;
  last_error: { code: string; message: string } | null;
  to: { generation: number | null };
  report: { gate: string; self_retrieval: number; counts: { from: number; to: number } } | null;
}

export async function startMigration(
  server: TestServer,
  storeId: string,
  body: Record<string, unknown> = {},
): Promise<MigrationState> {
  return await json<MigrationState>(server, "POST", `/v1/vector_stores/${storeId}/migrate`, {
    embedding_model: SECOND_MODEL,
    ...body,
  });
}

const ENDED = new Set(["ready", "completed", "rolled_back", "cancelled", "failed"]);

export async function migrationEnd(
  server: TestServer,
  storeId: string,
  id: string,
  isEnd = (status: string) => ENDED.has(status),
  timeoutMs = 180_000,
): Promise<MigrationState> {
  return await waitFor(
    `migration ${id} ends`,
    async () => {
      const state = await json<MigrationState>(server, "GET", `/v1/vector_stores/${storeId}/migrations/${id}`);
      return isEnd(state.status) ? state : undefined;
    },
    timeoutMs,
  );
}
