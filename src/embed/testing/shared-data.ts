/** Real tokenizers that lie beside a checkout on some machines; tests that want them are skipped elsewhere. */
import { existsSync } from "node:fs";
import { join } from "node:path";

const TOKENIZERS = join(import.meta.dir, "../../../../shared/data/tokenizers");

export const hasSharedTokenizers = existsSync(join(TOKENIZERS, "all-MiniLM-L6-v2/tokenizer.json"));

export async function sharedJson(model: string, file: string): Promise<Record<string, unknown>> {
  return (await Bun.file(join(TOKENIZERS, model, file)).json()) as Record<string, unknown>;
}
