/** What is counted of remote models. */
import { counter } from "../platform/metrics.ts";

export const PROVIDER_REQUESTS = counter(
  "lectern_provider_requests_total",
  "Requests to providers of embedding models, by model",
  ["model"],
);
export const PROVIDER_RETRIES = counter(
  "lectern_provider_retries_total",
  "Requests to providers that were sent again",
  ["model"],
);
export const PROVIDER_FAILURES = counter(
  "lectern_provider_failures_total",
  "Embeddings that a provider failed to give",
  ["model"],
);
export const PROVIDER_TOKENS = counter("lectern_provider_tokens_total", "Tokens embedded by providers, as they count", [
  "model",
]);
export const PROVIDER_COST = counter(
  "lectern_provider_cost_usd_total",
  "What providers' tokens cost at the price that is set or listed, in US dollars",
  ["model"],
);
