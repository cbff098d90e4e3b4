import { Type } from "@sinclair/typebox";
import { integer, key, keyFile, number, setting, textOrNone } from "./setting.ts";

/** Rows of the table of settings about hosted and other remote embedding models. */
const apiKey = (provider: string, option: string, models: string) =>
  key("Providers", option, `${provider}'s key; with it ${models} run there`);
const address = (provider: string, option: string) =>
  setting("Providers", option, textOrNone(), null, `base address to use instead of ${provider}'s own`);

export const PROVIDER_SETTINGS = {
  openaiApiKey: apiKey("OpenAI", "openai-api-key", "text-embedding-3-small, -3-large and -ada-002"),
  openaiApiKeyFile: keyFile("Providers", "openai-api-key"),
  openaiAddress: address("OpenAI", "openai-address"),
  cohereApiKey: apiKey("Cohere", "cohere-api-key", "embed-english-v3.0 and embed-multilingual-v3.0"),
  cohereApiKeyFile: keyFile("Providers", "cohere-api-key"),
  cohereAddress: address("Cohere", "cohere-address"),
  voyageApiKey: apiKey("Voyage", "voyage-api-key", "voyage-3-large and voyage-3-lite"),
  voyageApiKeyFile: keyFile("Providers", "voyage-api-key"),
  voyageAddress: address("Voyage", "voyage-address"),
  mistralApiKey: apiKey("Mistral", "mistral-api-key", "mistral-embed"),
  mistralApiKeyFile: keyFile("Providers", "mistral-api-key"),
  mistralAddress: address("Mistral", "mistral-address"),
  googleApiKey: apiKey("Google", "google-api-key", "text-embedding-004"),
  googleApiKeyFile: keyFile("Providers", "google-api-key"),
  googleAddress: address("Google", "google-address"),
  allowPrivateAddresses: setting(
    "Providers",
    "allow-private-addresses",
    Type.Boolean(),
    false,
    "let models be called at loopback and private addresses (Ollama, vLLM, TEI)",
  ),
  modelKeyVariables: setting(
    "Providers",
    "model-key-variables",
    textOrNone(),
    null,
    "variables that hold keys of models added with `models add --remote --api-key-env`, beside their provider's own; may be repeated, or separated by commas",
    { many: true },
  ),
  providerTimeoutSeconds: setting(
    "Providers",
    "provider-timeout",
    number(0.1, 3600),
    60,
    "seconds that a provider gets for one request; a search waits a quarter of it at most",
  ),
  providerRequests: setting(
    "Providers",
    "provider-requests",
    integer(1, 100),
    8,
    "requests for documents to one provider at the same time; fewer by themselves while it limits the rate",
  ),
  providerAttempts: setting(
    "Providers",
    "provider-attempts",
    integer(1, 100),
    6,
    "tries of one request to a provider, before its file or migration pauses; a search tries half as often",
  ),
} as const;
