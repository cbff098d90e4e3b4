import { AppError } from "../errors.ts";
import { DEFAULT_FUSION, type Fusion, RANKING } from "./ranking.ts";

export interface FusionWish {
  ranker?: string | undefined;
  hybrid_search?: { embedding_weight: number; text_weight: number } | null | undefined;
  alpha?: number | undefined;
  impact_factor?: number | undefined;
}

/** How the two legs of a search become one ranking, as its `ranking_options` say. Throws a 400 for two weights of 0. */
export function fusionOf({ ranker, hybrid_search: weights, alpha, impact_factor: impact }: FusionWish): Fusion {
  const constant = impact ?? RANKING.rrfConstant;
  if (weights) {
    const { embedding_weight: vector, text_weight: text } = weights;
    if (vector + text === 0) {
      const param = "ranking_options.hybrid_search";
      throw new AppError("invalid_value", `Invalid '${param}': at least one of the two weights must be above 0.`, {
        param,
      });
    }
    // By the larger, for only their proportion counts and their sum could be too large for a number.
    const larger = Math.max(vector, text);
    return { type: "rrf", weights: { vector: vector / larger, text: text / larger }, constant };
  }
  if (ranker === "rrf") return { type: "rrf", weights: { vector: 1, text: 1 }, constant };
  return ranker === "weighted" && alpha !== undefined ? { type: "convex", vectorWeight: alpha } : DEFAULT_FUSION;
}
