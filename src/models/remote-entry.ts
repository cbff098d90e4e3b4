import { EmbedBatcher } from "../embed/batcher.ts";
import type { ModelInfo } from "../embed/provider.ts";
import { createRemoteProvider, probeRemoteModel, type RemoteModel } from "../embed/remote/create.ts";
import type { HttpAccess } from "../embed/remote/http.ts";
import type { RemoteLimits, RemoteProvider, RemoteUsage } from "../embed/remote/remote-provider.ts";
import type { RemoteModelTable } from "./model-tables.ts";
import { measureUnrelated } from "./unrelated.ts";
import { Semaphore } from "../platform/semaphore.ts";
import type { PassageBatching } from "./store-model.ts";

/** A remote model as it is set up, or why it cannot be. */
export type RemoteSource =
  | { ok: true; model: RemoteModel; /** By `lectern models remove`. */ removable: boolean }
  | { ok: false; id: string; problem: string; /** An operator has to look at it first. */ isInactive?: boolean };

export interface RemoteSources {
  /** Reads the operator's files anew. */
  list(): RemoteSource[];
  /** Takes a removable one out of its file; false where there is none of that id. */
  forget(id: string): boolean;
  /** Whether `forget` would. */
  mayForget(id: string): boolean;
  /** One as it would be if the operator's file in the data directory named it. */
  sourceOf(table: RemoteModelTable): RemoteSource;
  /** Writes a removable one into its file; false where its name is taken, or the file cannot be read. */
  remember(table: RemoteModelTable): boolean;
}

export interface RemoteOptions {
  sources: RemoteSources;
  access: HttpAccess;
  limits: Partial<RemoteLimits>;
  /** What was used since the last call, of one model. */
  onUsage: (model: string, usage: RemoteUsage) => void;
}

export interface RemoteEntry {
  info: ModelInfo;
  batcher: EmbedBatcher;
  passages: PassageBatching;
  provider: RemoteProvider;
  /** Equal as long as nothing about the model was changed. */
  settings: string;
  removable: boolean;
}

const QUERY_REQUESTS = 4;
const PROBE_MS = 10_000;

/** Opens a remote model; one of unknown dimensions is asked for a vector first. */
export async function openRemote(
  source: Extract<RemoteSource, { ok: true }>,
  options: RemoteOptions,
): Promise<RemoteEntry | { problem: string }> {
  const { access, limits, onUsage } = options;
  let model: RemoteModel = { ...source.model, limits };
  let setup = createRemoteProvider(model, access);
  const isUnknown = !setup.ok && setup.needsProbe === true;
  if (isUnknown) {
    const probe = await probeRemoteModel(model, access, AbortSignal.timeout(PROBE_MS));
    if (!probe.ok) return { problem: `its dimensions are not named and cannot be asked for: ${probe.detail}` };
    model = { ...model, dimensions: probe.dimensions };
    setup = createRemoteProvider(model, access);
  }
  if (!setup.ok) return { problem: setup.problem };
  const { provider } = setup;
  const { texts, requests } = provider.batching;
  let info = provider.model;
  // Whoever adds a model writes down what was found; one of the settings would be asked, and paid for, at every start.
  if (isUnknown && source.removable && model.unrelatedCosine === undefined) {
    const signal = AbortSignal.timeout(PROBE_MS);
    const measured = await measureUnrelated(async (some, kind) => {
      const embedded = await provider.embed(some, kind, signal);
      return embedded.ok ? embedded.texts : null;
    }, info.dimensions);
    info = { ...info, unrelatedCosine: measured ?? 0 };
    onUsage(info.id, provider.usage());
  }
  let told = provider.usage();
  const batcher = new EmbedBatcher({
    model: provider.model,
    async run({ texts, kind, signal }) {
      try {
        return await provider.embed(texts, kind, signal);
      } finally {
        const now = provider.usage();
        onUsage(provider.model.id, since(told, now));
        told = now;
      }
    },
    passageSlots: requests,
    querySlots: QUERY_REQUESTS,
    newBatch: () => provider.newRequest(),
  });
  return {
    info,
    batcher,
    // The next request's texts wait while the last one's are answered.
    passages: {
      texts,
      room: new Semaphore(2 * requests * texts),
      window: provider.model.maxTokens,
      windowTokens: provider.model.windowTokens,
    },
    provider,
    settings: settingsOf(source.model),
    removable: source.removable,
  };
}

/** For comparing only: it holds the key. */
export function settingsOf(model: RemoteModel): string {
  return JSON.stringify(model);
}

function since(before: RemoteUsage, now: RemoteUsage): RemoteUsage {
  return {
    requests: now.requests - before.requests,
    retries: now.retries - before.retries,
    failures: now.failures - before.failures,
    texts: now.texts - before.texts,
    tokens: now.tokens - before.tokens,
    costUsd: now.costUsd === null || before.costUsd === null ? null : now.costUsd - before.costUsd,
  };
}
