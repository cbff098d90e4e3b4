/** Thread of a native lane: ONNX Runtime and the building of graphs. Stopped only cooperatively (worker-serve.ts answers what runs first). */
import { createCrossEncoder, type CrossEncoder } from "./embed/local/cross-encoder.ts";
import { directoryModelFiles, embeddedModelFiles } from "./embed/local/model-files.ts";
import { createLocalModel, type LocalModel, ModelFolderError } from "./embed/local/session.ts";
import { bundledModelFiles, bundledModelInfo } from "./models/bundled-model.ts";
import { PartBuilder } from "./index/builder.ts";
import { lowerPriority } from "./platform/priority.ts";
import { loadVectors, loadOnnxRuntime } from "./platform/native.ts";
import type { ModelSource, NativeInit, NativeMethods } from "./workers/protocol.ts";
import { type Answer, serveCalls } from "./platform/worker-serve.ts";

type Args<K extends keyof NativeMethods> = NativeMethods[K]["args"];
type Result<K extends keyof NativeMethods> = NativeMethods[K]["result"];

/** Models and rerankers that are open, and the part of a graph that is being built. */
class NativeWorker {
  readonly #init: NativeInit;
  readonly #models = new Map<string, Promise<LocalModel>>();
  readonly #rerankers = new Map<string, Promise<CrossEncoder>>();
  #part: PartBuilder | null = null;
  #idle: Timer | undefined;

  constructor(init: NativeInit) {
    this.#init = init;
  }

  async load({ key, source }: Args<"load">): Promise<Answer<Result<"load">>> {
    return { result: await problemsOf(async () => ({ ok: true, info: (await this.#open(key, source)).info })) };
  }

  async embed(call: Args<"embed">): Promise<Answer<Result<"embed">>> {
    // Calls come one at a time, so what fires between two of them closes nothing that is in use.
    clearTimeout(this.#idle);
    try {
      return await this.#embed(call);
    } finally {
      const { idleMs } = this.#init;
      if (idleMs !== undefined) this.#idle = setTimeout(() => void this.#closeModels(), idleMs);
    }
  }

  async #embed({ key, source, texts, kind }: Args<"embed">): Promise<Answer<Result<"embed">>> {
    const model = await this.#open(key, source);
    const embedded = await model.embed(texts, kind);
    const first = embedded[0]?.vectors;
    // The texts of one call are views into one buffer, in order: it is handed over whole.
    const vectors = first === undefined ? new Float32Array() : new Float32Array(first.buffer as ArrayBuffer);
    const windows = embedded.map((text) => text.windows);
    const tokens = embedded.map((text) => text.tokens);
    return { result: { vectors, windows, tokens }, transfer: [vectors.buffer] };
  }

  async loadReranker({ key, path }: Args<"loadReranker">): Promise<Answer<Result<"loadReranker">>> {
    return { result: await problemsOf(async () => ({ ok: true, info: (await this.#openReranker(key, path)).info })) };
  }

  async rerank({ key, path, query, documents }: Args<"rerank">): Promise<Answer<Result<"rerank">>> {
    const reranker = await this.#openReranker(key, path);
    return { result: await reranker.score(query, documents) };
  }

  async graphStart(plan: Args<"graphStart">): Promise<Answer<null>> {
    this.#part?.release();
    this.#part = await PartBuilder.start(loadVectors(this.#init.natives), plan, this.#init.threads);
    return { result: null };
  }

  graphAdd({ ids, vectors }: Args<"graphAdd">): Answer<null> {
    this.#building().add(ids, vectors);
    return { result: null };
  }

  graphFinish(): Answer<Result<"graphFinish">> {
    const builder = this.#building();
    this.#part = null;
    return { result: builder.finish() };
  }

  graphRelease(): Answer<null> {
    this.#part?.release();
    this.#part = null;
    return { result: null };
  }

  async unload({ key }: Args<"unload">): Promise<Answer<null>> {
    const open = this.#models.get(key) ?? this.#rerankers.get(key);
    this.#models.delete(key);
    this.#rerankers.delete(key);
    await (await open)?.dispose();
    return { result: null };
  }

  async #closeModels(): Promise<void> {
    const open = [...this.#models.values()];
    this.#models.clear();
    for (const model of open) await (await model).dispose();
    // A thread that does nothing more would keep what it has left.
    Bun.gc(true);
  }

  async stop(): Promise<void> {
    clearTimeout(this.#idle);
    this.#part?.release();
    for (const open of [...this.#models.values(), ...this.#rerankers.values()]) await (await open).dispose();
  }

  #open(id: string, source: ModelSource): Promise<LocalModel> {
    return kept(this.#models, id, () => {
      const { natives, threads } = this.#init;
      const isBundled = source.type === "bundled";
      const files = isBundled ? embeddedModelFiles(bundledModelFiles(source.name)) : directoryModelFiles(source.path);
      const location = isBundled ? "bundled" : "local";
      const known = isBundled ? bundledModelInfo(source.name) : null;
      return createLocalModel(loadOnnxRuntime(natives), files, { id, location, threads, known });
    });
  }

  #openReranker(id: string, path: string): Promise<CrossEncoder> {
    return kept(this.#rerankers, id, () => {
      const { natives, threads } = this.#init;
      return createCrossEncoder(loadOnnxRuntime(natives), directoryModelFiles(path), { id, threads });
    });
  }

  #building(): PartBuilder {
    if (this.#part === null) throw new Error("no part of a graph was begun");
    return this.#part;
  }
}

serveCalls<NativeMethods, NativeInit>((init) => {
  lowerPriority(init.nice);
  const worker = new NativeWorker(init);
  return {
    handlers: {
      load: (args) => worker.load(args),
      embed: (args) => worker.embed(args),
      loadReranker: (args) => worker.loadReranker(args),
      rerank: (args) => worker.rerank(args),
      graphStart: (plan) => worker.graphStart(plan),
      graphAdd: (batch) => worker.graphAdd(batch),
      graphFinish: () => worker.graphFinish(),
      graphRelease: () => worker.graphRelease(),
      unload: (args) => worker.unload(args),
    },
    stop: () => worker.stop(),
  };
});

/** The one that is open under this key, or a new one. One that failed to open is tried anew: its folder may be mended. */
function kept<T>(open: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  const known = open.get(key);
  if (known !== undefined) return known;
  const made = make();
  open.set(key, made);
  made.catch(() => open.delete(key));
  return made;
}

/** What is wrong with a model's folder is an answer; anything else is thrown. */
async function problemsOf<T>(load: () => Promise<T>): Promise<T | { ok: false; problems: string[] }> {
  try {
    return await load();
  } catch (error) {
    if (!(error instanceof ModelFolderError)) throw error;
    return { ok: false, problems: [...error.problems] };
  }
}
