import { Type } from "@sinclair/typebox";
import type { Operation } from "../../http/operation.ts";
import { jsonLimit } from "../../http/body-limit.ts";
import { operation } from "../../http/operation.ts";
import { MAX_DOCUMENTS, MAX_TOTAL_CHARACTERS, RankedTexts, RerankAnswer, RerankBody } from "./schema.ts";
import type { RerankService } from "./service.ts";

/** JSON may write a character with six bytes; a document may have a hundred fields. */
const RERANK_BODY = jsonLimit(MAX_TOTAL_CHARACTERS * 6, 100 * MAX_DOCUMENTS);

/** Options of other servers that change nothing here. */
const FOREIGN = [
  "max_chunks_per_doc",
  "max_tokens_per_doc",
  "truncation",
  "truncate",
  "truncate_prompt_tokens",
  "raw_scores",
  "instruction",
  "priority",
  "user",
  "extra_body",
];

export function rerankOperations(service: RerankService): Operation[] {
  return [
    operation(
      {
        method: "POST",
        path: "/v1/rerank",
        operationId: "rerank",
        summary: "Rank documents for a query",
        description:
          "In the shape of Cohere and Jina; with `top_k` also in Voyage's, with `texts` in that of text-embeddings-inference. `/v2/rerank` is the same. Documents longer than a reranker's window are read window by window, and the best counts.",
        tag: "Lectern",
        role: "read",
        body: RerankBody,
        bodyLimit: RERANK_BODY,
        foreignKeys: FOREIGN,
        response: Type.Union([RerankAnswer, RankedTexts]),
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
      async ({ body, caller: { tenantId: tenant }, signal, keepOpen }) => {
        // A slow machine may take minutes over a thousand long documents.
        keepOpen();
        const answer = await service.rerank(body, { tenant, signal });
        if (body.texts !== undefined) return ranked(body.texts, answer, body.return_text === true);
        return body.top_k === undefined ? answer : { ...answer, data: answer.results };
      },
    ),
  ];
}

function ranked(texts: readonly string[], { results }: RerankAnswer, withText: boolean): RankedTexts {
  return results.map(({ index, relevance_score: score }) => ({
    index,
    score,
    ...(withText ? { text: texts[index] ?? "" } : {}),
  }));
}
