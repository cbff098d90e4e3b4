import type { Operation } from "../../http/operation.ts";
import { operation } from "../../http/operation.ts";
import { EmbeddingsAnswer, EmbeddingsBody } from "./schema.ts";
import type { EmbeddingsService } from "./service.ts";

const MAX_BODY_BYTES = 64 * 1024 * 1024;

export function embeddingOperations(embeddings: EmbeddingsService): Operation[] {
  return [
    operation(
      {
        method: "POST",
        path: "/v1/embeddings",
        operationId: "createEmbedding",
        summary: "Embed text",
        description: "A text longer than the model's window is embedded window by window and averaged.",
        tag: "Embeddings",
        role: "read",
        body: EmbeddingsBody,
        foreignKeys: ["truncate", "extra_body"],
        maxBodyBytes: MAX_BODY_BYTES,
        response: EmbeddingsAnswer,
        returns: "One embedding for each input, in order",
        errors: [
          "model_not_found",
          "invalid_dimensions",
          "embedding_model_unavailable",
          "embedding_provider_error",
          "overloaded",
        ],
        examples: {
          body: { model: "text-embedding-3-small", input: "The food was delicious and the waiter friendly." },
        },
      },
      ({ body, signal }) => embeddings.create(body, signal),
    ),
  ];
}
