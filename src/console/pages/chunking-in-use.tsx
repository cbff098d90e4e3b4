import type { VectorStoreFile } from "../../api/attaching/schema.ts";
import type { Migration } from "../../api/migrations/schema.ts";
import type { VectorStore } from "../../api/store-schema.ts";
import { useConsole } from "../state/console.ts";
import { useLoad } from "../state/use-load.ts";
import { MODEL_WORDS } from "../words-model.ts";

type Strategy = NonNullable<Migration["to"]["chunking_strategy"]>;

/** How a store is cut: by the migration that cut it anew, or each file as it was asked for. */
export function ChunkingInUse({ store, migrated }: { store: VectorStore; migrated: Strategy | null }) {
  const { api } = useConsole();
  const path = `vector_stores/${encodeURIComponent(store.id)}/files?limit=100`;
  const files = useLoad(path, (signal) => api.get<{ data: VectorStoreFile[] }>(path, signal));
  const counts = new Map<string, number>();
  for (const { chunking_strategy: strategy } of files.data?.data ?? []) {
    const word = strategyText(strategy);
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const words = MODEL_WORDS;
  const seen = files.data?.data.length ?? 0;
  if (migrated === null && seen === 0) return null;
  return (
    <div>
      <dt>{words.chunking}</dt>
      {migrated !== null ? (
        <dd>{strategyText(migrated)}</dd>
      ) : (
        [...counts].map(([word, count]) => (
          <dd key={word}>
            {word} {counts.size > 1 && <span class="quiet">({words.chunkingFiles(count)})</span>}
          </dd>
        ))
      )}
      {migrated === null && seen < store.file_counts.total && (
        <dd class="quiet">{words.chunkingSeen(seen, store.file_counts.total)}</dd>
      )}
    </div>
  );
}

export function strategyText(strategy: Strategy): string {
  if (strategy.type !== "static") return MODEL_WORDS.chunkingOther;
  return MODEL_WORDS.chunkingOf(strategy.static.max_chunk_size_tokens, strategy.static.chunk_overlap_tokens);
}
