import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import { idText, nullable, oneOf } from "../http/openai.ts";
import { RANKERS } from "../search/rankers.ts";

export const HybridWeights = Type.Object(
  { embedding_weight: Type.Number({ minimum: 0 }), text_weight: Type.Number({ minimum: 0 }) },
  {
    $id: "HybridSearchOptions",
    additionalProperties: false,
    description: "Weights of the two rankings in weighted reciprocal rank fusion.",
  },
);

export const RankingOptions = Type.Object(
  {
    ranker: Type.Optional(
      Type.Union([oneOf(RANKERS), Type.String({ minLength: 1, maxLength: 256 })], {
        description:
          "`auto` (default): the server's reranker, if the operator chose one. `none` and OpenAI's dated names: without one. `rrf`, `weighted`: another fusion of vectors and keywords. Any other: a reranker of `GET /v1/models`, which reads the best candidates together with the query; results and `score_threshold` then go by its scores.",
      }),
    ),
    score_threshold: Type.Optional(Type.Number({ minimum: 0, maximum: 1, default: 0 })),
    hybrid_search: Type.Optional(nullable(HybridWeights)),
    alpha: Type.Optional(
      Type.Number({ minimum: 0, maximum: 1, description: "With ranker `weighted`: the share of vectors." }),
    ),
    impact_factor: Type.Optional(
      Type.Number({ minimum: 1, description: "With ranker `rrf`: its constant, 60 by default." }),
    ),
    weights: Type.Optional(
      Type.Record(Type.String(), Type.Number(), { maxProperties: 64, description: "Accepted, not used." }),
    ),
    model: Type.Optional(idText({ description: "With ranker `neural`: the reranker, if it is here." })),
  },
  { $id: "RankingOptions", additionalProperties: false },
);
export type RankingOptions = Static<typeof RankingOptions>;
