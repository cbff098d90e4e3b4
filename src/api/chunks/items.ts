import { beyondFloat32, fitVectors, unitVector } from "../../embed/vectors.ts";
import { AppError } from "../../errors.ts";
import { numberTooLarge } from "../../http/problem-words.ts";
import type { Embed } from "../../models/failures.ts";
import { embedError } from "../../models/failures.ts";
import type { GenerationRow } from "../../storage/generations.ts";
import { readAttributes } from "../attaching/input.ts";
import type { Attributes } from "../attaching/schema.ts";
import type { InsertVectorBody } from "./schema.ts";

/** Texts of one request that are to become chunks. */
export interface InsertRequest {
  bodies: readonly InsertVectorBody[];
  /** Where the i-th body stands in the request, for errors. */
  prefix: (i: number) => string;
}

/** One of them, checked and with its vectors. */
export interface Item {
  body: InsertVectorBody;
  param: string;
  attributes: Attributes | null;
  vectors: Float32Array;
}

/** A vector for each text of a generation, in their order. */
export type EmbedTexts = (generation: GenerationRow, texts: string[]) => Promise<Float32Array[]>;

/** Bodies with a vector keep it; the others are embedded here, together. */
export async function withVectors(
  embed: EmbedTexts,
  generation: GenerationRow,
  { bodies, prefix }: InsertRequest,
): Promise<Item[]> {
  const missing = bodies.filter((body) => body.embedding === undefined).map((body) => body.content);
  const embedded = missing.length === 0 ? [] : await embed(generation, missing);
  let next = 0;
  return bodies.map((body, i) => {
    const param = prefix(i);
    const own = body.embedding;
    if (own !== undefined && own.length !== generation.dimensions) {
      const text = `Invalid '${param}embedding': expected ${generation.dimensions} dimensions, but got ${own.length} instead.`;
      throw new AppError("invalid_dimensions", text, { param: `${param}embedding` });
    }
    const wrong = own === undefined ? null : beyondFloat32(own);
    if (wrong !== null) throw numberTooLarge(`${param}embedding[${wrong}]`);
    const attributes = readAttributes(body, param) ?? null;
    const vectors = own === undefined ? embedded[next++] : unitVector(own);
    if (vectors === undefined) throw new Error("an embedder gave fewer vectors than texts");
    return { body, param, attributes, vectors };
  });
}

/** Texts as passages, cut to the generation's dimensions. */
export function passages(embed: Embed, signal: AbortSignal): EmbedTexts {
  return async (generation, texts) => {
    const asked = { kind: "passage", tenant: generation.tenant_id, signal } as const;
    const result = await embed(generation.model, texts, asked);
    if (!result.ok) throw embedError(result);
    return result.texts.map((text) =>
      fitVectors(text.vectors, text.vectors.length / text.windows, generation.dimensions),
    );
  };
}
