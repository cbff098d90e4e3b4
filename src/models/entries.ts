import { EmbedBatcher } from "../embed/batcher.ts";
import type { EmbeddingProvider, ModelInfo } from "../embed/provider.ts";
import { Semaphore } from "../platform/semaphore.ts";
import type { NativeLanes } from "../workers/native-lane.ts";
import type { ModelSource } from "../workers/protocol.ts";
import { WORD_TABLE } from "./bundled-model.ts";
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

/**
 * Milliseconds of a batch, the one before it included. A small file, or another tenant's, waits about so long; a search
 * for half of it.
 */
const BATCH_MS = { passage: 500, query: 100 };

/** A worker has the next call before it has answered the last; a stop waits for what it has. */
export const LOCAL_TEXTS = 32;
const CALLS_A_WORKER = 2;

interface Local {
  id: string;
  key: string;
  source: ModelSource;
}

/** A model that is part of the server. */
export interface BundledModel {
  id: string;
  source: ModelSource;
  /** Null: not known before it is opened. */
  info: ModelInfo | null;
}

/** Opens a model in the lanes; what is wrong with its folder where it cannot be used. */
export async function openLocal(
  lanes: NativeLanes,
  local: Local,
  ingestWorkers: number,
): Promise<LocalEntry | { problems: readonly string[] }> {
  const { id, key, source } = local;
  const loaded = await lanes.load(key, source);
  if (!loaded.ok) return { problems: loaded.problems };
  const info = { ...loaded.info, id, unrelatedCosine: await unrelatedCosine(lanes, local, loaded.info) };
  return localEntry(lanes, local, info, ingestWorkers);
}

/** Opens a bundled model, or nothing yet where all is known of it: the lanes open it when it is first used. */
export async function openBundled(
  lanes: NativeLanes,
  { id, source, info }: BundledModel,
  ingestWorkers: number,
): Promise<LocalEntry | { problems: readonly string[] }> {
  const local = { id, key: id, source };
  if (info !== null) return localEntry(lanes, local, info, ingestWorkers);
  const opened = await openLocal(lanes, local, ingestWorkers);
  return "problems" in opened ? opened : { ...opened, info: { ...opened.info, location: "bundled" } };
}

function localEntry(
  lanes: NativeLanes,
  { id, key, source }: Local,
  info: ModelInfo,
  ingestWorkers: number,
): LocalEntry {
  const batcher = new EmbedBatcher({
    model: info,
    run: async ({ texts, kind, lane, signal }) => ({
      ok: true,
      texts: await lanes.embed(lane === "query" ? "query" : "ingest", key, source, texts, kind, signal),
    }),
    passageSlots: ingestWorkers * CALLS_A_WORKER,
    querySlots: 1,
    batchMs: BATCH_MS,
  });
  const passages = {
    texts: LOCAL_TEXTS,
    room: new Semaphore(ingestWorkers * LOCAL_TEXTS * CALLS_A_WORKER),
    // The table costs next to nothing, and finds more with windows of its own choice.
    window: id === WORD_TABLE ? null : info.maxTokens,
    windowTokens: info.windowTokens,
  };
  return { info, source, key, batcher, passages };
}

/** The ranking was fitted to the table as it is. */
async function unrelatedCosine(
  lanes: NativeLanes,
  { id, key, source }: Local,
  { dimensions }: ModelInfo,
): Promise<number> {
  if (id === WORD_TABLE) return 0;
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
