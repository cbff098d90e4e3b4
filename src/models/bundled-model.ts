import { readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { embeddedModel } from "./model-embedded.ts";

/** Directory of the model that comes with Lectern, from the top of the checkout. */
export const BUNDLED_MODEL_DIRECTORY = "models/lectern-embed-en";

/**
 * The bundled model's files: path below the model's folder (`tokenizer.json`, `onnx/model.onnx`, ...) -> path for `Bun.file()`. A path inside the
 * binary is known to Bun only: native code is given the bytes, never the path.
 */
export function bundledModelFiles(): ReadonlyMap<string, string> {
  const embedded = Object.entries(embeddedModel);
  if (embedded.length > 0) return new Map(embedded);
  const directory = join(import.meta.dir, "../..", BUNDLED_MODEL_DIRECTORY);
  return new Map(modelFileNames(directory).map((name) => [name, join(directory, name)]));
}

/** What belongs into the binary, by its path below `directory`: the model card stays in the repository. */
export function modelFileNames(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && !entry.name.startsWith(".") && !entry.name.endsWith(".md"))
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)))
    .sort();
}
