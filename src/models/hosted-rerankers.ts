/** Names of hosted providers' rerankers (Cohere, Jina, Voyage), which unmodified clients send. */
const HOSTED_RERANKERS: ReadonlySet<string> = new Set([
  "rerank-english-v2.0",
  "rerank-multilingual-v2.0",
  "rerank-english-v3.0",
  "rerank-multilingual-v3.0",
  "rerank-v3.5",
  "jina-reranker-v1-base-en",
  "jina-reranker-v1-turbo-en",
  "jina-reranker-v1-tiny-en",
  "jina-reranker-v2-base-multilingual",
  "jina-reranker-m0",
  "jina-colbert-v2",
  "rerank-1",
  "rerank-lite-1",
  "rerank-2",
  "rerank-2-lite",
  "rerank-2.5",
  "rerank-2.5-lite",
]);

export function isHostedReranker(name: string): boolean {
  return HOSTED_RERANKERS.has(name);
}
