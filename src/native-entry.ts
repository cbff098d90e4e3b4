/** Thread of a native lane: ONNX Runtime and HNSW building. Stopped only cooperatively (serve.ts answers what runs first). */
import { createCrossEncoder, type CrossEncoder } from "./embed/local/cross-encoder.ts";
import { directoryModelFiles, embeddedModelFiles } from "./embed/local/model-files.ts";
import { createLocalModel, type LocalModel, ModelFolderError } from "./embed/local/session.ts";
import { bundledModelFiles } from "./models/bundled-model.ts";
import { PartBuilder } from "./index/builder.ts";
import { lowerPriority } from "./platform/priority.ts";
import { loadHnsw, loadOnnxRuntime } from "./platform/native.ts";
import type { ModelSource, NativeInit, NativeMethods } from "./workers/protocol.ts";
import { type Answer, serveCalls } from "./platform/worker-serve.ts";

serveCalls<NativeMethods, NativeInit>((init) => {
  lowerPriority(init.nice);
  const models = new Map<string, Promise<LocalModel>>();
  const rerankers = new Map<string, Promise<CrossEncoder>>();
  let part: PartBuilder | null = null;

  const open = (key: string, source: ModelSource): Promise<LocalModel> => {
    const known = models.get(key);
    if (known !== undefined) return known;
    const files =
      source.type === "bundled" ? embeddedModelFiles(bundledModelFiles()) : directoryModelFiles(source.path);
    const location = source.type === "bundled" ? "bundled" : "local";
    const model = createLocalModel(loadOnnxRuntime(init.natives), files, { id: key, location, threads: init.threads });
    models.set(key, model);
    // A model that failed to open is tried anew next time: its folder may have been mended.
    model.catch(() => models.delete(key));
    return model;
  };

  const openReranker = (key: string, path: string): Promise<CrossEncoder> => {
    const known = rerankers.get(key);
    if (known !== undefined) return known;
    const ort = loadOnnxRuntime(init.natives);
    const reranker = createCrossEncoder(ort, directoryModelFiles(path), { id: key, threads: init.threads });
    rerankers.set(key, reranker);
    reranker.catch(() => rerankers.delete(key));
    return reranker;
  };

  return {
    handlers: {
      async load({ key, source }): Promise<Answer<NativeMethods["load"]["result"]>> {
        try {
          const model = await open(key, source);
          return { result: { ok: true, info: model.info } };
        } catch (error) {
          if (!(error instanceof ModelFolderError)) throw error;
          return { result: { ok: false, problems: [...error.problems] } };
        }
      },
      async embed({ key, source, texts, kind }) {
        const model = await open(key, source);
        const embedded = await model.embed(texts, kind);
        const vectors = embedded[0]?.vectors;
        // The texts of one call are views into one buffer, in order: it is handed over whole.
        const buffer = vectors === undefined ? new Float32Array() : new Float32Array(vectors.buffer as ArrayBuffer);
        return {
          result: {
            vectors: buffer,
            windows: embedded.map((text) => text.windows),
            tokens: embedded.map((text) => text.tokens),
          },
          transfer: [buffer.buffer],
        };
      },
      async loadReranker({ key, path }): Promise<Answer<NativeMethods["loadReranker"]["result"]>> {
        try {
          return { result: { ok: true, info: (await openReranker(key, path)).info } };
        } catch (error) {
          if (!(error instanceof ModelFolderError)) throw error;
          return { result: { ok: false, problems: [...error.problems] } };
        }
      },
      async rerank({ key, path, query, documents }) {
        const reranker = await openReranker(key, path);
        return { result: await reranker.score(query, documents) };
      },
      async graphStart(plan) {
        part?.release();
        part = await PartBuilder.start(loadHnsw(init.natives), plan);
        return { result: null };
      },
      graphAdd({ ids, vectors }) {
        building(part).add(ids, vectors);
        return { result: null };
      },
      graphFinish() {
        const builder = building(part);
        part = null;
        return { result: builder.finish() };
      },
      graphRelease() {
        part?.release();
        part = null;
        return { result: null };
      },
      async unload({ key }) {
        const open = models.get(key) ?? rerankers.get(key);
        models.delete(key);
        rerankers.delete(key);
        await (await open)?.dispose();
        return { result: null };
      },
    },
    async stop() {
      part?.release();
      for (const open of [...models.values(), ...rerankers.values()]) await (await open).dispose();
    },
  };
});

function building(part: PartBuilder | null): PartBuilder {
  if (part === null) throw new Error("no part of a graph was begun");
  return part;
}
