import { normaliseRow } from "../../embed/vectors.ts";
import type { KnownModel, ModelCatalog } from "../../models/model-catalog.ts";

/** The embedding model of tests: it knows no language, and two other names. */
export const MODEL = "words-64";
export const DIMENSIONS = 64;
const CREATED = 1_700_000_000;

const KNOWN: KnownModel = {
  name: MODEL,
  type: "embedding",
  model: MODEL,
  revision: "r1",
  dimensions: DIMENSIONS,
  maxTokens: 512,
  location: "bundled",
  ownedBy: "lectern",
  created: CREATED,
};
const NAMES = [MODEL, "text-embedding-3-small", "text-embedding-3-large"];

export const CATALOG: ModelCatalog = {
  list: () => NAMES.flatMap((name) => CATALOG.get(name) ?? []),
  get: (name) => (NAMES.includes(name) ? { ...KNOWN, name, location: name === MODEL ? "bundled" : "alias" } : null),
  choose(name, dimensions) {
    if (name !== null && !NAMES.includes(name)) {
      return { ok: false, reason: "unknown", message: `Unknown embedding model '${name}'.` };
    }
    // Zeros follow the vectors under other names than the model's own.
    const most = name === null || name === MODEL ? DIMENSIONS : 4096;
    if (dimensions !== null && dimensions > most) {
      return { ok: false, reason: "dimensions", message: `At most ${most} dimensions.` };
    }
    return { ok: true, name: name ?? MODEL, model: MODEL, revision: "r1", dimensions: dimensions ?? DIMENSIONS };
  },
  remove: () => false,
};

/** A bag of words: texts that share words are near each other. */
export function vectorOf(text: string): Float32Array {
  const vector = new Float32Array(DIMENSIONS);
  for (const word of text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? []) {
    const at = Number(Bun.hash(word) % BigInt(DIMENSIONS));
    vector[at] = (vector[at] ?? 0) + 1;
  }
  normaliseRow(vector, 0, DIMENSIONS);
  return vector;
}
