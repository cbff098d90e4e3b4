/** A model's revision: which vectors, or scores, it gives. */
import type { ModelFiles } from "./model-files.ts";
import { withRustSteps } from "./pre-tokenizers.ts";
import type { ModelSpec } from "./model-folder.ts";

/** Raised when this program begins to compute other vectors from the same files. */
const FORMAT = 1;

/** 16 hex digits over the names and bytes of all files that decide the vectors, and over what overrides them. */
export async function modelRevision(
  files: ModelFiles,
  spec: Pick<ModelSpec, "graph" | "maxTokens" | "queryPrefix" | "passagePrefix" | "truncateTo" | "files" | "tokenizer">,
): Promise<string> {
  const hash = new Bun.CryptoHasher("sha256");
  hash.update(`lectern-model-${FORMAT}\n`);
  const { graph, maxTokens, queryPrefix, passagePrefix, truncateTo } = spec;
  hash.update(JSON.stringify([graph, maxTokens, queryPrefix, passagePrefix, truncateTo]));
  // Once computed otherwise: only models with such steps are others now.
  if (withRustSteps(spec.tokenizer) !== spec.tokenizer) hash.update("steps of the tokenizer as in Rust");
  for (const name of spec.files) {
    hash.update(`\n${name}\n`);
    const path = files.path(name);
    if (path === null) hash.update(await files.bytes(name));
    else for await (const part of Bun.file(path).stream()) hash.update(part);
  }
  return hash.digest("hex").slice(0, 16);
}
