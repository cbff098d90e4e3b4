import { EmbedBatcher } from "../embed/batcher.ts";
import type { EmbeddingProvider, ModelInfo } from "../embed/provider.ts";
import { Semaphore } from "../platform/semaphore.ts";
import type { NativeLanes } from "../workers/native-lane.ts";
import type { ModelSource } from "../workers/protocol.ts";
import type { RemoteEntry } from "./remote-entry.ts";
import type { PassageBatching } from "./store-model.ts";
import { measureUnrelated } from "./unrelated.ts";

/** A model that runs in the native lanes. */
export interface LocalEntry {
  info: ModelInfo;
  source: ModelSource;
  /** Names the model and its revision in the lanes, which keep it open. */
  key: string;
  batcher: EmbedBatcher;
  passages: PassageBatching;
}

/** A model that runs in this process. */
export type ProvidedEntry = Omit<LocalEntry, "source" | "key">;

export type Entry = LocalEntry | RemoteEntry | ProvidedEntry;

/** A worker has the next call before it has answered the last; a stop waits for what it has. */
export const LOCAL_TEXTS = 32;
const CALLS_A_WORKER = 2;

interface Local {
  id: string;
  key: string;
  source: ModelSource;
}

/** Opens a model in the lanes; what is wrong with its folder where it cannot be used. */
export async function openLocal(
  lanes: NativeLanes,
  { id, key, source }: Local,
  ingestWorkers: number,
): Promise<LocalEntry | { problems: readonly string[] }> {
  const loaded = await lanes.load(key, source);
  if (!loaded.ok) return { problems: loaded.problems };
  const info = { ...loaded.info, id, unrelatedCosine: await unrelatedCosine(lanes, { id, key, source }, loaded.info) };
  const batcher = new EmbedBatcher({
    model: info,
    run: async ({ texts, kind, lane, signal }) => ({
      ok: true,
      texts: await lanes.embed(lane === "query" ? "query" : "ingest", key, source, texts, kind, signal),
    }),
    passageSlots: ingestWorkers * 2,
    querySlots: 1,
  });
  const passages = {
    texts: LOCAL_TEXTS,
    room: new Semaphore(ingestWorkers * LOCAL_TEXTS * CALLS_A_WORKER),
    // The bundled model costs next to nothing, and finds more with windows of its own choice.
    window: info.location === "bundled" ? null : info.maxTokens,
    windowTokens: info.windowTokens,
  };
  return { info, source, key, batcher, passages };
}

/** The ranking was fitted to the bundled model as it is. */
async function unrelatedCosine(
  lanes: NativeLanes,
  { key, source }: Local,
  { location, dimensions }: ModelInfo,
): Promise<number> {
  if (location === "bundled") return 0;
  const { signal } = new AbortController();
  const measured = await measureUnrelated(
    // What fails here fails again when it is used, and is told there: a scan goes on.
    (texts, kind) => lanes.embed("query", key, source, texts, kind, signal).catch(() => null),
    dimensions,
  );
  return measured ?? 0;
}

/** A provider in this process, in the place of a model. */
export function providedEntry(provider: EmbeddingProvider): ProvidedEntry {
  const { model } = provider;
  const batcher = new EmbedBatcher({
    model,
    run: ({ texts, kind, signal }) => provider.embed(texts, kind, signal),
    passageSlots: 1,
    querySlots: 1,
  });
  const room = new Semaphore(LOCAL_TEXTS * CALLS_A_WORKER);
  const passages = { texts: LOCAL_TEXTS, room, window: null, windowTokens: model.windowTokens };
  return { info: model, batcher, passages };
}
