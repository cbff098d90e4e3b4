import type { ModelInfo } from "../embed/provider.ts";

/** A bundled model inside the compiled binary. */
export interface EmbeddedModel {
  /** Name -> path that Bun.file() reads. */
  files: Readonly<Record<string, string>>;
  /** Name -> bytes that the file has. */
  sizes: Readonly<Record<string, number>>;
  info: ModelInfo;
}

/**
 * The bundled models by their names. Empty in a source checkout; src/build/compile.ts puts the real list here when it
 * makes the binary.
 */
export const embeddedModels: Readonly<Record<string, EmbeddedModel>> = {};
