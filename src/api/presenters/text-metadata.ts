import type { VectorStore } from "../vector-stores/schema.ts";

/** Metadata as OpenAI's schema has it, a map of texts: what was stored free-form is written out as JSON. */
export function textMetadata(metadata: VectorStore["metadata"]): Record<string, string> | null {
  if (metadata === null) return null;
  return Object.fromEntries(
    Object.entries(metadata).map(([key, value]) => [key, typeof value === "string" ? value : JSON.stringify(value)]),
  );
}
