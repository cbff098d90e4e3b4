import type { Operation } from "../../http/operation.ts";
import { operation } from "../../http/operation.ts";
import { MAX_TOTAL_CHARACTERS, RerankAnswer, RerankBody } from "./schema.ts";
import type { RerankService } from "./service.ts";

/** JSON may write a character with six bytes. */
const MAX_BODY_BYTES = MAX_TOTAL_CHARACTERS * 6;

export function rerankOperations(service: RerankService): Operation[] {
  return [
    operation(
      {
        method: "POST",
        path: "/v1/rerank",
        operationId: "rerank",
        summary: "Rank documents for a query",
        description:
          "In the shape of Cohere and Jina. Documents longer than a reranker's window are read window by window, and the best counts.",
        tag: "Lectern",
        role: "read",
        body: RerankBody,
        foreignKeys: ["max_chunks_per_doc", "max_tokens_per_doc", "truncation", "priority", "user", "extra_body"],
        maxBodyBytes: MAX_BODY_BYTES,
        response: RerankAnswer,
        returns: "The documents' scores, best first",
        errors: ["model_not_found", "reranker_unavailable", "embedding_model_unavailable", "overloaded"],
        examples: {
          body: {
            query: "How do I reset my password?",
            documents: ["Open the settings and choose security.", "Coffee is served on the second floor."],
            top_n: 1,
          },
        },
      },
      ({ body, signal, keepOpen }) => {
        // A slow machine may take minutes over a thousand long documents.
        keepOpen();
        return service.rerank(body, signal);
      },
    ),
  ];
}
