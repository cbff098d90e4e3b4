import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import {
  cleanLeftovers,
  nextSerial,
  graphPath,
  idsPath,
  publishManifest,
  readManifest,
  retireDirectory,
  type GenerationIdentity,
  type PartEntry,
} from "../index/generation.ts";
import { type GraphWork, partsAfter } from "../index/graph-work.ts";
import { DEFAULT_GRAPH_SETTINGS } from "../index/hnsw.ts";
import { openGraph } from "../index/open-graph.ts";
import { concatenated } from "../embed/vectors.ts";
import { messageOf } from "../errors.ts";
import type { IndexLease } from "../index/registry.ts";
import type { StoreIndex } from "../index/store-index.ts";
import { assertDiskRoom } from "../platform/disk-reserve.ts";
import { pathPart } from "../platform/ids.ts";
import type { Log } from "../platform/log.ts";
import { loadVectors, type Natives } from "../platform/native.ts";
import type { GenerationRow } from "../storage/generations.ts";
import { generationJob } from "../storage/jobs.ts";
import type { Storage } from "../storage/storage.ts";
import { DamagedBaseError, type GraphLane } from "../workers/graph-lane.ts";
import type { GraphBatch } from "../workers/protocol.ts";
import { retry } from "./retry.ts";
import type { JobHandler, JobOutcome } from "./runner.ts";

/**
 * Graphs on disk for large stores: built in the background from SQLite, part by part, attached to the index in memory
 * when they are whole. Until then, and for what came since, searches scan; so nothing ever waits for a build, and a
 * graph that is missing, torn or of another identity costs time and nothing else.
 *
 * Directory: `<data>/stores/<store id>/gen-<generation id>`.
 */
export interface GraphDeps {
  storage: Storage;
  dataDir: string;
  natives: Natives;
  lane: Pick<GraphLane, "build">;
  log: Log;
  acquire(storeId: string, generation: number): Promise<IndexLease>;
}

/** Vectors sent to the worker at once: some 20 ms of its time, and that of a thread beside it. */
const BATCH = 100;
/** Bytes of an element beside its vector: links on all levels, label, chunk id. */
const ELEMENT_BYTES = 200;

export function graphDirectory(dataDir: string, storeId: string, generationId: number): string {
  return join(dataDir, "stores", pathPart(storeId), `gen-${generationId}`);
}

function identityOf(generation: GenerationRow): GenerationIdentity {
  const { id, store_id, model, model_revision, dimensions, chunk_set } = generation;
  return { generation: id, store: store_id, model, revision: model_revision, dimensions, chunkSet: chunk_set };
}

/** Attaches what is on disk to a freshly loaded index; what cannot be used is removed, said once, and built again. */
export async function attachGraph(
  { dataDir, natives, log }: Pick<GraphDeps, "dataDir" | "natives" | "log">,
  generation: GenerationRow,
  index: StoreIndex,
): Promise<void> {
  const directory = graphDirectory(dataDir, generation.store_id, generation.id);
  try {
    const opened = await openGraph(loadVectors(natives), directory, identityOf(generation), generation.dimensions);
    if (opened.ok) return index.attachGraph(opened.graph);
    if (opened.reason === "missing") return;
    log.warn("an index file cannot be used and is built again", {
      store: generation.store_id,
      reason: opened.reason,
      detail: opened.detail,
    });
    retireDirectory(directory);
  } catch (error) {
    // Searches do not depend on it.
    log.warn("an index cannot be opened; searches go on without it", {
      store: generation.store_id,
      error: messageOf(error),
    });
  }
}

/** Subject: a generation's id. One part a run; it comes back while there is more to build. */
export function createBuildGraphHandler(deps: GraphDeps): JobHandler {
  return {
    kind: "build_index",
    concurrency: 1,
    async run(job, signal) {
      const generation = await deps.storage.generations.get(job.tenant_id, Number(job.subject));
      if (generation === null || generation.state === "retired") return { type: "done" };
      using lease = await deps.acquire(generation.store_id, generation.id);
      return await new GraphBuild(deps, { generation, index: lease.index }, signal).run();
    },
  };
}

/** One part of one generation's graph. */
class GraphBuild {
  readonly #deps: GraphDeps;
  readonly #generation: GenerationRow;
  readonly #index: StoreIndex;
  readonly #directory: string;
  readonly #signal: AbortSignal;

  constructor(
    deps: GraphDeps,
    { generation, index }: { generation: GenerationRow; index: StoreIndex },
    signal: AbortSignal,
  ) {
    this.#deps = deps;
    this.#generation = generation;
    this.#index = index;
    this.#directory = graphDirectory(deps.dataDir, generation.store_id, generation.id);
    this.#signal = signal;
  }

  async run(): Promise<JobOutcome> {
    const work = this.#index.graphWork();
    if (!this.#index.isIntact) return retry("more");
    if (work === null || this.#signal.aborted) return this.#signal.aborted ? { type: "interrupted" } : { type: "done" };
    try {
      if (!(await this.#build(work))) return { type: "interrupted" };
      const next = this.#index.graphWork();
      if (next === null) return { type: "done" };
      // The same work again would be the same result again.
      const isSame = next.chunkIds.length === work.chunkIds.length && next.chunkIds[0] === work.chunkIds[0];
      return isSame ? { type: "done" } : retry("more");
    } catch (error) {
      if (this.#signal.aborted) return { type: "interrupted" };
      this.#deps.log.warn("an index could not be built; searches go on without what is missing", {
        store: this.#generation.store_id,
        error: messageOf(error),
      });
      if (!(error instanceof DamagedBaseError)) return retry("graph_disk");
      this.#index.attachGraph(null);
      retireDirectory(this.#directory);
      return retry("more");
    }
  }

  /** False when interrupted. */
  async #build(work: GraphWork): Promise<boolean> {
    const { natives, lane, log } = this.#deps;
    const { store_id: store, dimensions } = this.#generation;
    await this.#refuseWithoutRoom(work);
    const startedAt = performance.now();
    const plan = {
      directory: this.#directory,
      serial: nextSerial(this.#directory),
      dimensions,
      settings: DEFAULT_GRAPH_SETTINGS,
      expected: work.vectors,
      base: work.base,
    };
    const retired = new AbortController();
    const batches = this.#whileInUse(retired, this.#batchesOf(work.chunkIds));
    const entry = await lane.build(plan, batches, AbortSignal.any([this.#signal, retired.signal]));
    if (entry === null) return false;
    const identity = await this.#publish(work, entry);
    const opened = await openGraph(loadVectors(natives), this.#directory, identity, dimensions);
    if (!opened.ok) throw new DamagedBaseError(opened.detail);
    this.#index.attachGraph(opened.graph);
    log.info("index built", { store, vectors: entry.vectors, ms: Math.round(performance.now() - startedAt) });
    return true;
  }

  async #publish(work: GraphWork, entry: PartEntry): Promise<GenerationIdentity> {
    const directory = this.#directory;
    const identity = identityOf(this.#generation);
    try {
      // The rows before the file that has their ids: a power cut that took them would have the ids given again, to others.
      await this.#deps.storage.makeDurable();
      const current = readManifest(directory, identity);
      const parts = current.ok ? current.manifest.parts : [];
      publishManifest(directory, { identity, parts: partsAfter(parts, work, entry) });
      return identity;
    } catch (error) {
      // A full disk: the part that no manifest names gives its space back.
      for (const path of [graphPath(directory, entry.serial), idsPath(directory, entry.serial)])
        rmSync(path, { force: true });
      throw error;
    }
  }

  /** A disk that fills up meanwhile is noticed at the end. */
  async #refuseWithoutRoom(work: GraphWork): Promise<void> {
    mkdirSync(this.#directory, { recursive: true });
    const vectors = work.vectors + (work.base?.vectors ?? 0);
    await assertDiskRoom(this.#directory, vectors * (this.#generation.dimensions * 4 + ELEMENT_BYTES));
  }

  /** Passes batches on until nobody needs the generation any more; then aborts, so that its retirement need not wait. */
  async *#whileInUse(retired: AbortController, batches: Iterable<GraphBatch>): AsyncGenerator<GraphBatch> {
    const { tenant_id: tenantId, id } = this.#generation;
    for (const batch of batches) {
      const state = (await this.#deps.storage.generations.get(tenantId, id))?.state ?? "retired";
      if (state === "retired") retired.abort();
      yield batch;
    }
  }

  /** A chunk's windows stay together; chunks that went meanwhile are left out. */
  *#batchesOf(chunkIds: readonly number[]): Generator<GraphBatch> {
    const { id, dimensions } = this.#generation;
    let ids: number[] = [];
    let rows: Float32Array[] = [];
    const flush = (): GraphBatch => {
      const batch = { ids: Float64Array.from(ids), vectors: concatenated(rows) };
      ids = [];
      rows = [];
      return batch;
    };
    for (let from = 0; from < chunkIds.length; from += BATCH) {
      const wanted = chunkIds.slice(from, from + BATCH);
      for (const [at, vectors] of this.#deps.storage.indexReads.vectors(wanted, id).entries()) {
        if (vectors === null) continue;
        rows.push(vectors);
        for (let i = 0; i < vectors.length / dimensions; i++) ids.push(wanted[at]!);
        if (ids.length >= BATCH) yield flush();
      }
    }
    if (ids.length > 0) yield flush();
  }
}

/** Queues a build for a generation whose index says that there is something to build. */
export async function scheduleBuild(storage: Storage, generation: GenerationRow): Promise<void> {
  await storage.jobs.insert(generationJob("build_index", generation));
}

/**
 * At start: directories of stores and generations that are no more, and what a build left that did not end. Images of
 * indexes lie beside the graphs, under the same names.
 */
export async function removeStrayGraphs(storage: Storage, dataDir: string): Promise<void> {
  const root = join(dataDir, "stores");
  const live = new Map<string, Set<string>>();
  for (const { store_id, id } of await storage.generations.inUse()) {
    live.set(store_id, (live.get(store_id) ?? new Set<string>()).add(`gen-${id}`));
  }
  for (const name of existsSync(root) ? readdirSync(root) : []) {
    const generations = live.get(name);
    if (generations === undefined) rmSync(join(root, name), { recursive: true, force: true });
    else cleanLeftovers(join(root, name), (entry) => generations.has(entry.replace(/\.image$/, "")));
  }
}

/** Whether graphs or images of the store are on the disk. */
export function hasGraphsOfStore(dataDir: string, storeId: string): boolean {
  return existsSync(join(dataDir, "stores", pathPart(storeId)));
}

export function removeGraphsOfStore(dataDir: string, storeId: string): void {
  rmSync(join(dataDir, "stores", pathPart(storeId)), { recursive: true, force: true });
}
