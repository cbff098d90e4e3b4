/** Hosted models that many clients name. */

export type ProviderName = "openai" | "cohere" | "voyage" | "mistral" | "google";

/** What is known about a hosted model without asking its provider. */
export interface KnownModel {
  name: string;
  provider: ProviderName;
  dimensions: number;
  /** Sizes that `dimensions` may ask for; null where the provider takes none. */
  matryoshka: number[] | null;
  /** Only the listed sizes, none between. */
  matryoshkaExact: boolean;
  maxTokens: number;
  /** US dollars for a million tokens at the provider's list price, for estimates. */
  usdPerMillionTokens: number;
  /** The provider does not serve it any more; the name is still accepted. */
  retired: boolean;
}

export const KNOWN_MODELS: readonly KnownModel[] = [
  known("text-embedding-3-small", "openai", 1536, [256, 512, 1536], 8191, 0.02),
  known("text-embedding-3-large", "openai", 3072, [256, 1024, 3072], 8191, 0.13),
  known("text-embedding-ada-002", "openai", 1536, null, 8191, 0.1),
  known("embed-english-v3.0", "cohere", 1024, null, 512, 0.1),
  known("embed-multilingual-v3.0", "cohere", 1024, null, 512, 0.1),
  { ...known("voyage-3-large", "voyage", 1024, [256, 512, 1024, 2048], 32_000, 0.18), matryoshkaExact: true },
  known("voyage-3-lite", "voyage", 512, null, 32_000, 0.02),
  known("mistral-embed", "mistral", 1024, null, 8192, 0.1),
  { ...known("text-embedding-004", "google", 768, [64, 128, 256, 512, 768], 2048, 0), retired: true },
];

function known(
  name: string,
  provider: ProviderName,
  dimensions: number,
  matryoshka: number[] | null,
  maxTokens: number,
  usdPerMillionTokens: number,
): KnownModel {
  return {
    name,
    provider,
    dimensions,
    matryoshka,
    matryoshkaExact: false,
    maxTokens,
    usdPerMillionTokens,
    retired: false,
  };
}

export function knownModel(name: string): KnownModel | undefined {
  return KNOWN_MODELS.find((model) => model.name === name);
}
