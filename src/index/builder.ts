/**
 * Builds one part file of a graph. Runs in the native worker, which may have threads help it: inserting is synchronous, 0.3 to 1 ms a vector and thread, so the
 * caller feeds batches and lets messages in between them; not feeding any more and calling `release` is cancelling.
 * A part can start from an earlier one: that is read (checksum first), extended and written as a new file.
 */
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import type { VectorAddon } from "../platform/vector-addon.ts";
import { graphPath, idsPath, writeIds, type PartEntry } from "./generation.ts";
import { HnswGraph, type GraphSettings } from "./hnsw.ts";
import { fingerprintOf, sealGraphFile, verifyFile } from "./part-file.ts";
import { unitVectors } from "./vector-input.ts";

export type PartPlan = {
  readonly directory: string;
  /** From `nextSerial`. */
  readonly serial: number;
  readonly dimensions: number;
  readonly settings: GraphSettings;
  /** How many vectors will come; more are taken too. */
  readonly expected: number;
  /** The part to extend, if any. */
  readonly base: PartEntry | null;
};

/** By label. */
type Labels = { readonly ids: Float64Array; readonly fingerprints: Int32Array };

export class PartBuilder {
  readonly #plan: PartPlan;
  readonly #graph: HnswGraph;
  readonly #threads: number;
  #ids: Float64Array;
  #fingerprints: Int32Array;

  private constructor(plan: PartPlan, graph: HnswGraph, threads: number, { ids, fingerprints }: Labels) {
    this.#threads = threads;
    this.#plan = plan;
    this.#graph = graph;
    this.#ids = ids;
    this.#fingerprints = fingerprints;
  }

  /** Rejects with DamagedFileError if the part to extend is damaged: then build without it. */
  static async start(addon: VectorAddon, plan: PartPlan, threads = 1): Promise<PartBuilder> {
    const { base, dimensions, directory } = plan;
    if (base === null) {
      const graph = HnswGraph.create(addon, dimensions, plan.expected, plan.settings);
      return new PartBuilder(plan, graph, threads, {
        ids: new Float64Array(plan.expected),
        fingerprints: new Int32Array(plan.expected),
      });
    }
    const file = await verifyFile(graphPath(directory, base.serial), base.graph);
    const ids = await readIds(directory, base);
    const graph = await HnswGraph.read(addon, file, dimensions, base.vectors);
    graph.reserve(base.vectors + plan.expected);
    const fingerprints = fingerprintsOfFile(file.path, dimensions, base.vectors);
    const builder = new PartBuilder(plan, graph, threads, { ids, fingerprints });
    builder.#reserve(base.vectors + plan.expected);
    return builder;
  }

  /** Vectors in the graph. */
  get count(): number {
    return this.#graph.count;
  }

  /**
   * Adds vectors (`chunkIds.length × dimensions`, one chunk id a vector; a chunk's windows one after another).
   * Throws VectorRejectedError; then none of the batch was added.
   */
  add(chunkIds: Float64Array, vectors: Float32Array): void {
    const { dimensions } = this.#plan;
    const unit = unitVectors(vectors, dimensions);
    if (unit.length !== chunkIds.length * dimensions) throw new RangeError("as many chunk ids as vectors are needed");
    const words = new Int32Array(unit.buffer);
    if (unit.length === 0) return;
    this.#reserve(this.count + chunkIds.length);
    const first = this.#graph.add(unit, this.#threads);
    for (let i = 0; i < chunkIds.length; i++) {
      this.#ids[first + i] = chunkIds[i]!;
      this.#fingerprints[first + i] = fingerprintOf(words, i * dimensions, dimensions);
    }
  }

  /**
   * Writes the part, durable and checked, and frees the memory. Names it nowhere: that is `publishManifest`'s.
   * Throws DamagedFileError or what the disk says; then nothing is left of the new files.
   */
  finish(): PartEntry {
    const { directory, serial, dimensions } = this.#plan;
    const vectors = this.count;
    const graphFile = graphPath(directory, serial);
    const idsFile = idsPath(directory, serial);
    mkdirSync(directory, { recursive: true });
    try {
      const ids = writeIds(idsFile, this.#ids.subarray(0, vectors));
      this.#graph.writeUnverified(graphFile);
      const graph = sealGraphFile(graphFile, dimensions, this.#fingerprints.subarray(0, vectors));
      return { serial, vectors, graph, ids };
    } catch (error) {
      for (const path of [idsFile, graphFile]) rmSync(path, { recursive: true, force: true });
      throw error;
    } finally {
      this.release();
    }
  }

  release(): void {
    this.#graph.release();
  }

  #reserve(count: number): void {
    if (count <= this.#ids.length) return;
    const size = Math.max(count, Math.ceil(this.#ids.length * 1.5));
    const ids = new Float64Array(size);
    ids.set(this.#ids);
    this.#ids = ids;
    const fingerprints = new Int32Array(size);
    fingerprints.set(this.#fingerprints);
    this.#fingerprints = fingerprints;
  }
}

/** The chunk id of every label of a part. Rejects with DamagedFileError. */
export async function readIds(directory: string, part: PartEntry): Promise<Float64Array> {
  const file = await verifyFile(idsPath(directory, part.serial), part.ids);
  const bytes = readFileSync(file.path);
  return new Float64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

/** Fingerprints of the vectors in a verified part, by label. Rows lie as `checkGraph` of part-file.ts describes. */
function fingerprintsOfFile(path: string, dimensions: number, count: number): Int32Array {
  const bytes = Bun.mmap(path);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const size = (at: number): number => Number(view.getBigUint64(at, true));
  const [rowBytes, labelAt, vectorAt] = [size(24), size(32), size(40)];
  const fingerprints = new Int32Array(count);
  const vector = new Int32Array(dimensions);
  for (let row = 0; row < count; row++) {
    const at = 96 + row * rowBytes;
    for (let i = 0; i < dimensions; i++) vector[i] = view.getInt32(at + vectorAt + i * 4, true);
    fingerprints[size(at + labelAt)] = fingerprintOf(vector, 0, dimensions);
  }
  return fingerprints;
}
