import { numberOf, type Route } from "../route.ts";

/** What a store is to be moved to, as it stands in the address. */
export interface Wanted {
  model: string;
  /** Null: the model's own. */
  dimensions: number | null;
  /** Null: the chunks stay as they are. */
  chunking: { size: number; overlap: number } | null;
}

/** What the address says; null where no model is chosen yet. */
export function wantedOf({ query }: Route): Wanted | null {
  const model = query["model"] ?? "";
  if (model === "") return null;
  const [size, overlap] = [numberOf(query["size"]), numberOf(query["overlap"])];
  return {
    model,
    dimensions: numberOf(query["dimensions"]),
    chunking: size === null ? null : { size, overlap: overlap ?? 0 },
  };
}

/** What the address says of it. */
export function wantedQuery(wanted: Wanted | null): Record<string, string> {
  const { model = "", dimensions = null, chunking = null } = wanted ?? {};
  return {
    model,
    dimensions: dimensions === null ? "" : String(dimensions),
    size: chunking === null ? "" : String(chunking.size),
    overlap: chunking === null ? "" : String(chunking.overlap),
  };
}

/** What `migrate` and its estimate are sent. */
export function bodyOf({ model, dimensions, chunking }: Wanted): Record<string, unknown> {
  const cut = chunking && { max_chunk_size_tokens: chunking.size, chunk_overlap_tokens: chunking.overlap };
  return {
    embedding_model: model,
    ...(dimensions === null ? {} : { dimensions }),
    ...(cut === null ? {} : { chunking_strategy: { type: "static", static: cut } }),
  };
}
