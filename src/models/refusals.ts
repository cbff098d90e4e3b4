/** What is said of a model that a name stands for and that cannot answer. */

export function unusable(id: string): string {
  return `The embedding model '${id}' is set up but cannot be used now; the server's log and "lectern models list" say why.`;
}

export function inactive(id: string): string {
  return `The embedding model '${id}' came with a backup and is inactive until an operator has looked at it: "lectern models verify ${id}" shows what it calls and lets it be used.`;
}

export function isReranker(name: string): string {
  return `The model '${name}' is a reranker, not an embedding model: it goes with 'ranking_options.ranker' of a search and with POST /v1/rerank.`;
}

export function offline(id: string): string {
  return `The embedding model '${id}' is remote, and outbound connections are switched off (--offline).`;
}
