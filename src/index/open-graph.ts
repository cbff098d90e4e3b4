import { messageOf } from "../errors.ts";
import type { VectorAddon } from "../platform/vector-addon.ts";
import { readIds } from "./builder.ts";
import { graphPath, readManifest, type GenerationIdentity, type PartEntry } from "./generation.ts";
import { HnswGraph } from "./hnsw.ts";
import { DamagedFileError, verifyFile } from "./part-file.ts";

export type OpenPart = { readonly entry: PartEntry; readonly graph: HnswGraph; readonly chunkIds: Float64Array };

/** A graph in memory, ready to be attached to a StoreIndex. */
export type OpenGraph = { readonly directory: string; readonly parts: readonly OpenPart[] };

export type OpenGraphResult =
  | { readonly ok: true; readonly graph: OpenGraph }
  | { readonly ok: false; readonly reason: "missing" | "damaged" | "other-identity"; readonly detail: string };

/**
 * Loads a generation's graph: manifest, then every file's checksum, then the files, off the thread. A damaged graph is
 * an answer, not an error: it is built again.
 */
export async function openGraph(
  addon: VectorAddon,
  directory: string,
  identity: GenerationIdentity,
  dimensions: number,
): Promise<OpenGraphResult> {
  const read = readManifest(directory, identity);
  if (!read.ok) return { ok: false, reason: read.reason, detail: `manifest ${read.reason}` };
  const parts: OpenPart[] = [];
  try {
    for (const entry of read.manifest.parts) {
      const file = await verifyFile(graphPath(directory, entry.serial), entry.graph);
      const chunkIds = await readIds(directory, entry);
      if (chunkIds.length !== entry.vectors) throw new DamagedFileError("a part has another number of chunk ids");
      parts.push({ entry, chunkIds, graph: await HnswGraph.read(addon, file, dimensions, entry.vectors) });
    }
    return { ok: true, graph: { directory, parts } };
  } catch (error) {
    for (const part of parts) part.graph.release();
    return { ok: false, reason: "damaged", detail: messageOf(error) };
  }
}

export function releaseGraph(graph: OpenGraph): void {
  for (const part of graph.parts) part.graph.release();
}
