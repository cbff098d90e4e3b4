import type { RerankUse } from "../models/rerankers.ts";
import type { Metrics } from "../platform/metrics.ts";
import { RERANK_SECONDS, RERANKED_DOCUMENTS, RERANKED_TOKENS, RERANKS } from "./metric-list.ts";

/** Counts what a reranker, or the bundled ranking in its place, did. */
export function countRerank(metrics: Metrics, { model, documents, tokens, seconds, ok }: RerankUse): void {
  metrics.count(RERANKS, { model, outcome: ok ? "ok" : "failed" });
  metrics.count(RERANKED_DOCUMENTS, { model }, documents);
  metrics.count(RERANKED_TOKENS, { model }, tokens);
  metrics.observe(RERANK_SECONDS, seconds, { model });
}
