import type { EmbedAsk } from "../embed/batcher.ts";
import { KNOWN_MODELS } from "../embed/known-models.ts";
import { type Catalog, followAliases, listNames, type Resolution, resolveModelName } from "./catalog.ts";
import type { ModelTrials } from "./model-trials.ts";
import { type ModelDirectory, scanModels, removeModelFolder } from "./models-dir.ts";
import {
  embedFailure,
  type EmbedFailure,
  type EmbeddingProvider,
  type EmbedResult,
  type ModelInfo,
} from "../embed/provider.ts";
import { QueryCache } from "../embed/query-cache.ts";
import { bundledModelProblems, WORD_TABLE } from "./bundled-model.ts";
import { type BundledModel, type Entry, LOCAL_TEXTS, openBundled, openLocal, providedEntry } from "./entries.ts";
import { combineWindows, resolveDimensions, fitVectors } from "../embed/vectors.ts";
import type { Log } from "../platform/log.ts";
import { Semaphore } from "../platform/semaphore.ts";
import type { PassageBatching, StoreModel } from "./store-model.ts";
import type { NativeLanes } from "../workers/native-lane.ts";
import type { ModelSource } from "../workers/protocol.ts";
import { foundBroken, foundEntry, type FoundModel, foundReranker } from "./found-model.ts";
import { inactive, isReranker, offline, unusable } from "./refusals.ts";
import type { RemoteModelTable } from "./model-tables.ts";
import { type RemoteTrial, tryRemote } from "./try-remote.ts";
import { openRemote, type RemoteOptions, settingsOf } from "./remote-entry.ts";
import { isQuick, questionText } from "./query-text.ts";
import { Rerankers, type RerankUse } from "./rerankers.ts";

/** What `POST /v1/rerank` ranks with where no reranker is there: the ranking that searches have. */
export const BUNDLED_RANKER = "lectern-rank";

/** Who wants vectors. */
export type Asker = Pick<EmbedAsk, "tenant" | "signal">;

export type QueryVector = { ok: true; vector: Float32Array } | EmbedFailure;

export interface ModelsOptions {
  lanes: NativeLanes;
  /** `<data>/models` */
  directory: string;
  /** Those that come with the server. */
  bundled: readonly BundledModel[];
  /** What clients that name no model get; null: the table of words. */
  defaultModel: string | null;
  defaultAliases: boolean;
  /** Operator's names -> models or other names. */
  aliases: ReadonlyMap<string, string>;
  remote: RemoteOptions;
  /** The reranker of searches that name none; null: none. */
  defaultRanker: string | null;
  onRerank: (use: RerankUse) => void;
  /** First runs of folders; without it every folder is opened as it is. */
  trials?: ModelTrials | undefined;
  ingestWorkers: number;
  queryCache: { maxBytes: number; maxEntries: number };
  log: Log;
  /** Runs in this process, in place of the bundled models, which are then not opened. */
  provider?: EmbeddingProvider | undefined;
}

/** Folders that nobody has tried may hold up a start by so long, each. */
const START_TRIAL_MS = 10_000;

type UsableFolder = Extract<ModelDirectory, { ok: true }>;

/**
 * The embedding models of this server: which there are, what names stand for, and vectors from them.
 *
 * A store is bound to a model's id and revision. A model whose files changed is another revision: stores made with the
 * old one say so instead of mixing two vector spaces.
 */
export class Models {
  readonly #options: ModelsOptions;
  readonly #entries = new Map<string, Entry>();
  /** Models that cannot be used, with the reasons. */
  readonly #broken = new Map<string, readonly string[]>();
  /** Those of them that wait for an operator. */
  readonly #inactive = new Set<string>();
  readonly #queries: QueryCache;
  readonly rerankers: Rerankers;
  /** What the bundled ranking and answers read with, whatever the default is: they are fitted to it. */
  readonly bundled: string;
  #scanning: Promise<void> = Promise.resolve();

  constructor(options: ModelsOptions) {
    this.#options = options;
    this.bundled = options.provider?.model.id ?? WORD_TABLE;
    this.#queries = new QueryCache(options.queryCache);
    this.rerankers = new Rerankers({ lanes: options.lanes, onUse: options.onRerank });
  }

  /**
   * Opens every model there is but the bundled ones, of which all is known: those are opened when they are first needed.
   * Throws when the default model or the default reranker cannot be used.
   */
  async start(): Promise<void> {
    const { provider, defaultModel, defaultRanker } = this.#options;
    if (provider === undefined) for (const model of this.#options.bundled) await this.#openBundled(model);
    else this.#entries.set(provider.model.id, providedEntry(provider));
    await this.#scan(true);
    if (defaultRanker !== null && this.rankerOf(defaultRanker) === null) {
      const why = this.#broken.get(defaultRanker)?.join("; ") ?? "no such reranker is in the models directory";
      throw new Error(`the default ranker '${defaultRanker}' cannot be used: ${why}`);
    }
    if (defaultModel === null) return;
    const resolved = resolveModelName(defaultModel, this.catalog());
    const entry = resolved.ok ? this.#entries.get(resolved.model) : undefined;
    const problems = entry === undefined ? this.#broken.get(defaultModel) : missingParts(entry);
    if (resolved.ok && (problems === undefined || problems.length === 0)) return;
    const why = `the default model '${defaultModel}' cannot be used: ${problems?.join("; ")}`;
    throw new Error(resolved.ok || problems !== undefined ? why : resolved.message);
  }

  /** Opens the default model where questions are embedded, ahead of the first one; tells the log where it does not open. */
  async warm(): Promise<void> {
    const id = this.catalog().defaultModel;
    const entry = this.#entries.get(id);
    if (entry === undefined || !("source" in entry)) return;
    const loaded = await this.#options.lanes.load(entry.key, entry.source);
    // Whoever asks it is told the same, and it is tried anew each time: memory may have been short.
    if (!loaded.ok) this.#options.log.error(`the default model '${id}' cannot be used: ${loaded.problems.join("; ")}`);
  }

  /**
   * Looks at the models directory and at the settings of remote models again. What cannot be used is told here and in
   * the log, and never stops the server.
   */
  async rescan(): Promise<FoundModel[]> {
    await this.#scan(false);
    return this.found();
  }

  /** What was found when models were last looked for. */
  found(): FoundModel[] {
    const { sources } = this.#options.remote;
    const rerankers = this.rerankers.ids().flatMap((id) => this.rerankers.info(id) ?? []);
    return [
      ...[...this.#entries.values()].map(foundEntry),
      ...rerankers.map(foundReranker),
      ...[...this.#broken].map(([id, problems]) => foundBroken(id, problems, sources.mayForget(id))),
    ];
  }

  /** `isStart`: a folder that takes long to try is opened later. */
  async #scan(isStart: boolean): Promise<void> {
    this.#scanning = this.#scanning.then(() => this.#rescan(isStart));
    await this.#scanning;
  }

  /** What the first run of a folder tells is wrong with it. */
  async #problemsOf(found: UsableFolder, isStart: boolean): Promise<readonly string[]> {
    const { trials, defaultModel, defaultRanker } = this.#options;
    const problems = trials?.known(found.revision) ?? null;
    if (trials === undefined || problems !== null) return problems ?? [];
    const trial = trials.outcomeOf(found.revision, found);
    if (!isStart || [defaultModel, defaultRanker].includes(found.id)) return await trial;
    const inTime = await Promise.race([trial, Bun.sleep(START_TRIAL_MS).then(() => null)]);
    if (inTime !== null) return inTime;
    void trial.then(() => this.#scan(false));
    return ["it is being tried, which takes long"];
  }

  async #rescan(isStart: boolean): Promise<void> {
    this.#broken.clear();
    this.#inactive.clear();
    const { provider, bundled } = this.#options;
    const seen = new Set(provider === undefined ? bundled.map(({ id }) => id) : [provider.model.id]);
    for (const found of await scanModels(this.#options.directory)) {
      if (seen.has(found.id)) continue;
      seen.add(found.id);
      const isOpen = found.ok && this.#revisionOf(found.id) === found.revision;
      const wrong = !found.ok ? found.problems : isOpen ? [] : await this.#problemsOf(found, isStart);
      if (!found.ok || wrong.length > 0) this.#report(found.id, wrong);
      else if (found.kind === "reranker") {
        const problems = await this.rerankers.open(found.id, found.revision, found.directory);
        if (problems.length > 0) this.#report(found.id, problems);
        else this.#forgetEmbedding(found.id);
      } else if (this.#entries.get(found.id)?.info.revision !== found.revision)
        await this.#openLocal(found.id, `@${found.revision}`, { type: "directory", path: found.directory });
    }
    for (const source of this.#options.remote.sources.list()) {
      const id = source.ok ? source.model.id : source.id;
      if (seen.has(id)) {
        this.#options.log.warn("a remote model has the id of another model and is left out", { model: id });
        continue;
      }
      seen.add(id);
      if (!source.ok) {
        if (source.isInactive === true) this.#inactive.add(id);
        this.#report(id, [source.problem]);
        continue;
      }
      const known = this.#entries.get(id);
      if (known !== undefined && "provider" in known && known.settings === settingsOf(source.model)) continue;
      const opened = await openRemote(source, this.#options.remote);
      if ("problem" in opened) this.#report(id, [opened.problem]);
      else this.#entries.set(id, opened);
    }
    for (const id of [...this.#entries.keys(), ...this.rerankers.ids()]) if (!seen.has(id)) this.#forget(id);
  }

  #revisionOf(id: string): string | null {
    return this.#entries.get(id)?.info.revision ?? this.rerankers.info(id)?.revision ?? null;
  }

  catalog(): Catalog {
    const { defaultModel, defaultAliases, aliases } = this.#options;
    return {
      models: [...this.#entries.keys()],
      defaultModel: defaultModel ?? this.bundled,
      aliases,
      defaultAliases,
    };
  }

  resolve(name: string | null): Resolution {
    const wanted = name ?? "";
    const target = followAliases(wanted, this.#options.aliases);
    // Where a model was set up but cannot be used, another must not answer in its place.
    if (this.#broken.has(target) && !this.#entries.has(target)) {
      const message = this.#inactive.has(target) ? inactive(target) : unusable(target);
      return { ok: false, reason: "unavailable", message };
    }
    if (this.rankerOf(wanted) !== null) return { ok: false, reason: "reranker", message: isReranker(wanted) };
    const resolved = resolveModelName(name, this.catalog());
    if (
      resolved.ok &&
      this.#options.remote.access.policy.offline &&
      "provider" in (this.#entries.get(resolved.model) ?? {})
    )
      return { ok: false, reason: "unavailable", message: offline(resolved.model) };
    return resolved;
  }

  /** The reranker that a name stands for; null where it stands for none that is here. */
  rankerOf(name: string): string | null {
    const target = followAliases(name, this.#options.aliases);
    return target === BUNDLED_RANKER || this.rerankers.info(target) !== null ? target : null;
  }

  /** Whether the name is that of a model which was found and cannot be used. */
  isBroken(name: string): boolean {
    return this.#broken.has(followAliases(name, this.#options.aliases));
  }

  /** Names that clients may ask for, without those that stand for others. */
  ids(): string[] {
    return [...this.#entries.keys()];
  }

  /** Every name that resolves now. */
  names(): string[] {
    return listNames(this.catalog());
  }

  info(id: string): ModelInfo | null {
    return this.#entries.get(id)?.info ?? null;
  }

  /** The models that come with the server. */
  bundledInfos(): ModelInfo[] {
    return [...this.#entries.values()].map(({ info }) => info).filter(({ location }) => location === "bundled");
  }

  /** One line for the start: which well-known names the default model answers for. */
  aliasNotice(): string | null {
    const { defaultModel, defaultAliases } = this.#options;
    if (!defaultAliases) return null;
    const without = KNOWN_MODELS.filter(({ name }) => !this.#entries.has(name) && !this.#broken.has(name));
    if (without.length === 0) return null;
    const names = without.map((model) => model.name).join(", ");
    return `No embedding provider is configured for ${names}: ${defaultModel ?? this.bundled} answers for them (--no-default-aliases refuses them instead).`;
  }

  /** A model that is not here has no room to wait for: asking it says why. */
  passageBatching(model: StoreModel): PassageBatching {
    const entry = this.#entryFor(model);
    if (!("ok" in entry)) return entry.passages;
    return { texts: LOCAL_TEXTS, room: new Semaphore(LOCAL_TEXTS), window: null, windowTokens: null };
  }

  /** Vectors of passages for a store, in the ingest lane. */
  async embedPassages(model: StoreModel, texts: readonly string[], asker: Asker): Promise<EmbedResult> {
    const entry = this.#entryFor(model);
    if ("ok" in entry) return entry;
    const embedded = await entry.batcher.embed(texts, { ...asker, kind: "passage", isSearch: false });
    return shorten(embedded, entry.info.dimensions, model.dimensions);
  }

  /** The vector of a search's query for a store, or of its beginning; recent ones of the same tenant are remembered. */
  async embedQuery(model: StoreModel, query: string, asker: Asker): Promise<QueryVector> {
    const text = questionText(query);
    const cached = { tenantId: asker.tenant, revision: `${model.revision}/${model.dimensions}`, text };
    const known = this.#queries.get(cached);
    if (known !== undefined) return { ok: true, vector: known };
    const entry = this.#entryFor(model);
    if ("ok" in entry) return entry;
    const isSearch = isQuick(text, entry.info);
    const result = await entry.batcher.embed([text], { ...asker, kind: "query", isSearch });
    if (!result.ok) return result;
    const [first] = result.texts;
    if (first === undefined) return embedFailure("rejected", "the model gave no vector");
    const vector = fitVectors(combineWindows(first, entry.info.dimensions), entry.info.dimensions, model.dimensions);
    this.#queries.set(cached, vector);
    return { ok: true, vector };
  }

  /**
   * Vectors of any texts in the model's own dimensions, for /v1/embeddings: among passages, whatever their kind, unless
   * they are as short as a question.
   */
  async embed(
    id: string,
    texts: readonly string[],
    asked: Omit<EmbedAsk, "isSearch" | "isRequest">,
  ): Promise<EmbedResult> {
    const entry = this.#entries.get(id);
    if (entry === undefined) return embedFailure("unavailable", `the model '${id}' is not here`);
    return await entry.batcher.embed(texts, { ...asked, isSearch: false, isRequest: true });
  }

  /** Vectors of a few passages that somebody's search or answer waits for, in the model's own dimensions. */
  async embedAwaited(id: string, texts: readonly string[], asker: Asker): Promise<EmbedResult> {
    const entry = this.#entries.get(id);
    if (entry === undefined) return embedFailure("unavailable", `the model '${id}' is not here`);
    return await entry.batcher.embed(texts, { ...asker, kind: "passage", isSearch: true });
  }

  resolveDimensions(id: string, asked: number | null) {
    const info = this.info(id);
    return info === null
      ? { ok: false as const, message: `The model '${id}' is not here.` }
      : resolveDimensions(info, asked);
  }

  /** US dollars for a million tokens; null where nothing is paid, or nobody knows. */
  price(id: string): number | null {
    const entry = this.#entries.get(id);
    return entry !== undefined && "provider" in entry ? entry.provider.usdPerMillionTokens : null;
  }

  /** Whether a remote model that is not set up yet would work. */
  async tryRemote(wanted: RemoteModelTable): Promise<RemoteTrial> {
    return await tryRemote(this.#options.remote, wanted);
  }

  /** Writes a remote model down, of whose name there is none yet; the next look finds it. */
  rememberRemote(table: RemoteModelTable): boolean {
    return this.#options.remote.sources.remember(table);
  }

  /** Takes away a model that was added; false when it is part of the server or of its settings, or not there. */
  remove(id: string): boolean {
    const entry = this.#entries.get(id);
    const reranker = this.rerankers.pathOf(id);
    if (reranker !== null) removeModelFolder(id, reranker);
    else if (entry === undefined) {
      // One that cannot be used, or waits for an operator, need not be let in to be taken away.
      if (!this.#broken.has(id) || !this.#options.remote.sources.forget(id)) return false;
      this.#broken.delete(id);
      this.#inactive.delete(id);
    } else if ("provider" in entry) {
      if (!entry.removable || !this.#options.remote.sources.forget(id)) return false;
    } else {
      if (!("source" in entry) || entry.source.type !== "directory") return false;
      removeModelFolder(id, entry.source.path);
    }
    this.#forget(id);
    return true;
  }

  stats() {
    return {
      cache: this.#queries.stats(),
      queues: [...this.#entries].map(([id, { batcher }]) => ({ id, ...batcher.stats() })),
    };
  }

  async #openLocal(id: string, suffix: string, source: ModelSource): Promise<void> {
    const { lanes, ingestWorkers } = this.#options;
    const opened = await openLocal(lanes, { id, key: id + suffix, source }, ingestWorkers);
    if ("problems" in opened) return this.#report(id, opened.problems);
    this.#forget(id);
    this.#entries.set(id, opened);
  }

  async #openBundled(model: BundledModel): Promise<void> {
    const opened = await openBundled(this.#options.lanes, model, this.#options.ingestWorkers);
    if ("problems" in opened) this.#report(model.id, opened.problems);
    else this.#entries.set(model.id, opened);
  }

  #report(id: string, problems: readonly string[]): void {
    this.#forget(id);
    this.#broken.set(id, problems);
    this.#options.log.warn("a model cannot be used", { model: id, problems: problems.join("; ") });
  }

  #forget(id: string): void {
    this.#forgetEmbedding(id);
    this.rerankers.forget(id);
  }

  #forgetEmbedding(id: string): void {
    const entry = this.#entries.get(id);
    this.#entries.delete(id);
    if (entry !== undefined && "source" in entry) void this.#options.lanes.unload(entry.key);
  }

  #entryFor(model: StoreModel): Entry | EmbedFailure {
    const entry = this.#entries.get(model.id);
    if (entry === undefined && this.#inactive.has(model.id))
      return { ...embedFailure("unavailable", inactive(model.id)), isLasting: true, advice: inactive(model.id) };
    if (entry === undefined) {
      const detail = `the model '${model.id}' is not here: put it or its provider's settings back, or migrate the store`;
      return { ...embedFailure("unavailable", detail), isLasting: true };
    }
    if (entry.info.revision !== model.revision) {
      const detail = `the files or settings of model '${model.id}' are not those that the store was made with`;
      return { ...embedFailure("unavailable", detail), isOutdated: true, isLasting: true };
    }
    return entry;
  }
}

/** What of a bundled model is not there, or not whole; none of it is read. */
function missingParts(entry: Entry): readonly string[] {
  return "source" in entry && entry.source.type === "bundled" ? bundledModelProblems(entry.source.name) : [];
}

function shorten(result: EmbedResult, own: number, wanted: number): EmbedResult {
  if (!result.ok || own === wanted) return result;
  return {
    ok: true,
    texts: result.texts.map((text) => ({ ...text, vectors: fitVectors(text.vectors, own, wanted) })),
  };
}
