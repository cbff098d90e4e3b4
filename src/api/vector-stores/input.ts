import { AppError } from "../../errors.ts";
import { shown } from "../../platform/words.ts";
import type { ChosenModel, ModelCatalog } from "../../models/model-catalog.ts";
import type { DialectRules } from "../presenters/presenter.ts";
import { checkPairs } from "../attaching/input.ts";
import type { CreateStoreBody } from "../store-schema.ts";

const MAX_NAME_BYTES = 256;
const MAX_METADATA_BYTES = 4096;

/** The name to store, "" where none was given. Throws where it is too long, or missing in a dialect that needs one. */
export function checkName(name: string | null | undefined, rules: DialectRules): string {
  if (rules.nameAndModelRequired && !name) {
    throw new AppError(
      "invalid_name",
      name === "" ? "Invalid 'name': it is empty." : "Missing required parameter: 'name'.",
      { param: "name" },
    );
  }
  const bytes = Buffer.byteLength(name ?? "");
  if (bytes <= MAX_NAME_BYTES) return name ?? "";
  throw new AppError(
    "name_too_long",
    `Invalid 'name': string too long. Expected at most ${MAX_NAME_BYTES} bytes, but got ${bytes} bytes instead.`,
    {
      param: "name",
    },
  );
}

/** Free-form JSON of at most 4 KiB; in the strict dialect at most 16 pairs of strings. */
export function checkMetadata(metadata: Record<string, unknown> | null | undefined, rules: DialectRules): void {
  if (!metadata) return;
  if (rules.strictMetadata) {
    checkPairs(metadata, "metadata");
    const wrong = Object.entries(metadata).find(([, value]) => typeof value !== "string");
    if (wrong !== undefined) {
      const param = `metadata.${wrong[0]}`;
      throw new AppError("invalid_type", `Invalid type for '${param}': expected a string.`, { param });
    }
  }
  const bytes = Buffer.byteLength(JSON.stringify(metadata, refuseTooLarge));
  if (bytes <= MAX_METADATA_BYTES) return;
  throw new AppError(
    "metadata_too_large",
    `Invalid 'metadata': too large. Expected at most ${MAX_METADATA_BYTES} bytes of JSON, but got ${bytes} bytes instead.`,
    {
      param: "metadata",
    },
  );
}

/** Of JSON's numbers those that are too large for one would be kept as null. */
function refuseTooLarge(key: string, value: unknown): unknown {
  if (typeof value !== "number" || Number.isFinite(value)) return value;
  const text = `Invalid 'metadata': '${shown(key)}' is a number that is too large.`;
  throw new AppError("invalid_metadata", text, { param: "metadata" });
}

/**
 * The model of a new store: as asked for, as some clients name it in `metadata.embedding_model` (if this server knows
 * that one), or the default. Throws where it is unknown, away, or has not that many dimensions.
 */
export function chooseModel(models: ModelCatalog, body: CreateStoreBody): ChosenModel {
  const { embedding_model: asked, dimensions, metadata } = body;
  if (dimensions !== undefined && dimensions < 1) {
    throw new AppError("invalid_dimensions", "Invalid 'dimensions': expected a positive integer.", {
      param: "dimensions",
    });
  }
  const mentioned = metadata?.["embedding_model"];
  const known = typeof mentioned === "string" && models.get(mentioned)?.type === "embedding" ? mentioned : null;
  const choice = models.choose(asked ?? known, dimensions ?? null);
  if (choice.ok) return choice;
  switch (choice.reason) {
    case "unknown":
    case "reranker":
      throw new AppError("invalid_embedding_model", choice.message, { param: "embedding_model" });
    case "dimensions":
      throw new AppError("invalid_dimensions", choice.message, { param: "dimensions" });
    case "unavailable":
      throw new AppError("embedding_model_unavailable", choice.message, { param: "embedding_model" });
  }
}
