/** Names of rankers of every generation of the API and of its peers: all accepted everywhere. */
export const RANKERS = [
  "none",
  "auto",
  "default-2024-11-15",
  "default_2024_11_15",
  "default-2024-08-21",
  "default_2024_08_21",
  "rrf",
  "weighted",
  "neural",
] as const;

/** Those of them that are in OpenAI's schemas. */
export const OPENAI_RANKERS: readonly string[] = ["none", "auto", "default-2024-11-15", "default_2024_08_21"];
