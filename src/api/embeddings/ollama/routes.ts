import { createHash } from "node:crypto";
import { HUGE_BODY, NO_BODY } from "../../../http/body-limit.ts";
import { type Operation, operation, type RefusalShape } from "../../../http/operation.ts";
import type { KnownModel, ModelCatalog } from "../../../models/model-catalog.ts";
import { version } from "../../../platform/build-info.ts";
import { EMBEDDING_ERRORS, type EmbeddingsService } from "../service.ts";
import {
  OllamaBody,
  OllamaError,
  OllamaPromptBody,
  type OllamaTag,
  OllamaTags,
  OllamaVector,
  OllamaVectors,
  OllamaVersion,
} from "./schema.ts";

const REFUSAL: RefusalShape = { schema: OllamaError, body: ({ message }): OllamaError => ({ error: message }) };
const ERRORS = ["model_not_found", ...EMBEDDING_ERRORS] as const;
/** How long a model stays loaded, and how it would be run. */
const FOREIGN = ["truncate", "options", "keep_alive"];
const LATEST = ":latest";

export function ollamaOperations(embeddings: EmbeddingsService, models: Pick<ModelCatalog, "list">): Operation[] {
  const common = { tag: "Embeddings", role: "read", refusal: REFUSAL } as const;
  return [
    operation(
      {
        ...common,
        method: "POST",
        path: "/api/embed",
        operationId: "embedAsOllama",
        summary: "Embed text, as Ollama's clients ask for it",
        description: "With a key like every request; nothing else of Ollama's API is served.",
        body: OllamaBody,
        bodyLimit: HUGE_BODY,
        foreignKeys: FOREIGN,
        response: OllamaVectors,
        returns: "One vector for each text, in order",
        errors: ERRORS,
        examples: { body: { model: "text-embedding-3-small", input: ["The food was delicious."] } },
      },
      async ({ body, caller, signal }) => {
        const startedAt = performance.now();
        const { model, input, dimensions } = body;
        const wanted = { model: bare(model), input, ...(dimensions === undefined ? {} : { dimensions }) };
        const asker = { tenant: caller.tenantId, signal };
        const isEmpty = typeof input !== "string" && input.length === 0;
        const { vectors, tokens } = isEmpty ? NOTHING : await embeddings.vectors(wanted, asker);
        return {
          model,
          embeddings: vectors,
          total_duration: Math.round((performance.now() - startedAt) * 1e6),
          load_duration: 0,
          prompt_eval_count: tokens,
        };
      },
    ),
    operation(
      {
        ...common,
        method: "POST",
        path: "/api/embeddings",
        operationId: "embedPromptAsOllama",
        summary: "Embed one text, as older clients of Ollama ask for it",
        body: OllamaPromptBody,
        bodyLimit: HUGE_BODY,
        foreignKeys: FOREIGN,
        response: OllamaVector,
        errors: ERRORS,
        examples: { body: { model: "text-embedding-3-small", prompt: "The food was delicious." } },
      },
      async ({ body: { model, prompt }, caller, signal }) => {
        const wanted = { model: bare(model), input: prompt };
        const { vectors } = await embeddings.vectors(wanted, { tenant: caller.tenantId, signal });
        return { embedding: vectors[0] ?? [] };
      },
    ),
    operation(
      {
        ...common,
        method: "GET",
        path: "/api/tags",
        operationId: "tagsAsOllama",
        summary: "The embedding models, as Ollama's clients ask for them",
        bodyLimit: NO_BODY,
        response: OllamaTags,
      },
      () => ({ models: models.list().filter(isEmbedder).map(tagOf) }),
    ),
    operation(
      {
        ...common,
        method: "GET",
        path: "/api/version",
        operationId: "versionAsOllama",
        summary: "The server's version, as Ollama's clients ask for it",
        bodyLimit: NO_BODY,
        response: OllamaVersion,
      },
      () => ({ version }),
    ),
  ];
}

const NOTHING = { vectors: [], tokens: 0 };

function bare(model: string): string {
  return model.endsWith(LATEST) ? model.slice(0, -LATEST.length) : model;
}

/** Names of hosted models stand for one of these. */
function isEmbedder({ type, location }: KnownModel): boolean {
  return type === "embedding" && location !== "alias";
}

function tagOf({ name, revision, created }: KnownModel): OllamaTag {
  const tagged = `${name}${LATEST}`;
  return {
    name: tagged,
    model: tagged,
    modified_at: new Date(created * 1000).toISOString(),
    size: 0,
    digest: createHash("sha256")
      .update(`${name} ${revision ?? ""}`)
      .digest("hex"),
    details: {
      parent_model: "",
      format: "onnx",
      family: "embedding",
      families: ["embedding"],
      parameter_size: "",
      quantization_level: "",
    },
  };
}
