import { PartBuilder } from "../../src/index/builder.ts";
import { nextSerial, type PartEntry, publishManifest } from "../../src/index/generation.ts";
import { DEFAULT_GRAPH_SETTINGS } from "../../src/index/hnsw.ts";
import { openGraph } from "../../src/index/open-graph.ts";
import type { StoreIndex } from "../../src/index/store-index.ts";
import { loadVectors } from "../../src/platform/native.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const BATCH = 500;

export interface GraphTimes {
  part: PartEntry;
  insertMs: number;
  sealMs: number;
  openMs: number;
  attachMs: number;
}

/** Gives an index a graph of all its vectors, built in this thread; chunk `i` has the i-th vector of `flat`. */
export async function graphFor(index: StoreIndex, flat: Float32Array, dimensions: number): Promise<GraphTimes> {
  using directory = tempDir();
  index.setKind("hnsw");
  const work = index.graphWork();
  if (work === null) throw new Error("an index without a graph wants none");
  const started = performance.now();
  const builder = await PartBuilder.start(loadVectors(), {
    directory: directory.path,
    serial: nextSerial(directory.path),
    dimensions,
    settings: DEFAULT_GRAPH_SETTINGS,
    expected: work.vectors,
    base: null,
  });
  for (let i = 0; i < work.chunkIds.length; i += BATCH) {
    const ids = Float64Array.from(work.chunkIds.slice(i, i + BATCH));
    const vectors = new Float32Array(ids.length * dimensions);
    ids.forEach((id, at) => vectors.set(flat.subarray(id * dimensions, (id + 1) * dimensions), at * dimensions));
    builder.add(ids, vectors);
  }
  const insertedAt = performance.now();
  const part = builder.finish();
  const sealedAt = performance.now();
  publishManifest(directory.path, { identity: {}, parts: [part] });
  const opened = await openGraph(loadVectors(), directory.path, {}, dimensions);
  if (!opened.ok) throw new Error(opened.detail);
  const openedAt = performance.now();
  index.attachGraph(opened.graph);
  return {
    part,
    insertMs: insertedAt - started,
    sealMs: sealedAt - insertedAt,
    openMs: openedAt - sealedAt,
    attachMs: performance.now() - openedAt,
  };
}
