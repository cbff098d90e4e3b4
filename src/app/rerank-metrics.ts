import type { Metrics } from "../platform/metrics.ts";
import type { RerankUse } from "../models/rerankers.ts";

/** Counts what a reranker, or the bundled ranking in its place, did. */
export function countRerank(metrics: Metrics, { model, documents, tokens, seconds, ok }: RerankUse): void {
  metrics.count("lectern_reranks_total", { model, outcome: ok ? "ok" : "failed" });
  metrics.count("lectern_reranked_documents_total", { model }, documents);
  metrics.count("lectern_reranked_tokens_total", { model }, tokens);
  metrics.observe("lectern_rerank_seconds", seconds, { model });
}
