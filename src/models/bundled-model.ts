/**
 * The embedding models that come with Lectern: folders of `models/` in a checkout, files inside the compiled binary.
 */
import { existsSync, readdirSync } from "node:fs";
import { join, relative } from "node:path";
import type { ModelInfo } from "../embed/provider.ts";
import { embeddedModels } from "./model-embedded.ts";

/**
 * English words and their vectors: a million tokens a second. The ranking of searches without another model's scale, of
 * `POST /v1/rerank` and of answers is fitted to it. Data directories that do not say otherwise were made with it.
 */
export const WORD_TABLE = "lectern-embed-en";
/** What a new data directory gives clients that name no model, or a hosted one. */
export const DEFAULT_BUNDLED_MODEL: string = "lectern-embed";
/** Every model that may come with Lectern, by the name of its folder below `models/`. */
export const BUNDLED_MODELS: readonly string[] = [WORD_TABLE, "lectern-embed"];

const CHECKOUT = join(import.meta.dir, "../..");

/** The bundled models that are here. */
export function bundledModels(): string[] {
  const embedded = Object.keys(embeddedModels);
  return embedded.length > 0 ? embedded : bundledDirectories(CHECKOUT).map(({ name }) => name);
}

/** What the build measured of a bundled model; null in a checkout, where it is measured when the model is opened. */
export function bundledModelInfo(name: string): ModelInfo | null {
  return embeddedModels[name]?.info ?? null;
}

/** Which of a bundled model's files are not as long as the build left them. */
export function bundledModelProblems(name: string): string[] {
  const embedded = embeddedModels[name];
  if (embedded === undefined) return [];
  const isWhole = ([file, path]: [string, string]) => Bun.file(path).size === embedded.sizes[file];
  const torn = Object.entries(embedded.files).filter((entry) => !isWhole(entry));
  return torn.map(([file]) => `the executable's copy of ${file} is damaged`);
}

/**
 * A bundled model's files: path below the model's folder (`tokenizer.json`, `onnx/model.onnx`, ...) -> path for
 * `Bun.file()`. A path inside the binary is known to Bun only: native code is given the bytes, never the path.
 */
export function bundledModelFiles(name: string): ReadonlyMap<string, string> {
  const embedded = embeddedModels[name];
  if (embedded !== undefined) return new Map(Object.entries(embedded.files));
  const directory = join(CHECKOUT, "models", name);
  return new Map(modelFileNames(directory).map((file) => [file, join(directory, file)]));
}

/** The folders of bundled models that a checkout has. */
export function bundledDirectories(checkout: string): { name: string; directory: string }[] {
  return BUNDLED_MODELS.map((name) => ({ name, directory: join(checkout, "models", name) })).filter(({ directory }) =>
    existsSync(join(directory, "tokenizer.json")),
  );
}

/** What belongs into the binary, by its path below `directory`: the model card stays in the repository. */
export function modelFileNames(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && !entry.name.startsWith(".") && !entry.name.endsWith(".md"))
    .map((entry) => relative(directory, join(entry.parentPath, entry.name)))
    .sort();
}
