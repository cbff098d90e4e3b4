/**
 * BERT's WordPiece tokenizers with what the reference makes of its texts: one made for the tests, and those of real
 * models where they stand beside the checkout.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import pairs from "../../../test/fixtures/tokenizers/reference-pairs.json" with { type: "json" };
import reference from "../../../test/fixtures/tokenizers/reference-tokens.json" with { type: "json" };

export interface ReferencePair {
  a: number;
  b: number;
  max: number | null;
  ids: number[];
  types: number[];
}

export interface WordPieces {
  name: string;
  json: Record<string, unknown>;
  /** By text of the reference. */
  ids: readonly (readonly number[])[];
  pairs: readonly ReferencePair[];
  unknown: number;
}

const BESIDE = join(import.meta.dir, "../../../../shared/data/tokenizers");
const REAL_MODELS = ["all-MiniLM-L6-v2", "gte-small"];

const OWN_WORD_PIECES: WordPieces = {
  name: "a small tokenizer",
  json: reference.wordPiece.tokenizer,
  ids: reference.wordPiece.ids,
  pairs: pairs.wordPiece,
  unknown: 1,
};

const beside = REAL_MODELS.map((name) => ({ name, file: join(BESIDE, name, "tokenizer.json") })).filter(({ file }) =>
  existsSync(file),
);

export const WORD_PIECES: readonly WordPieces[] = [
  OWN_WORD_PIECES,
  ...(await Promise.all(
    beside.map(async ({ name, file }) => ({
      name,
      json: (await Bun.file(file).json()) as Record<string, unknown>,
      ids: reference.bertUncased,
      pairs: pairs.bertUncased,
      unknown: 100,
    })),
  )),
];
