import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import type { Arguments, Flags } from "./arguments.ts";
import type { Client } from "./client.ts";
import { CONNECTION_FLAGS } from "./connect.ts";

/** What the `models` verbs share: their flags, and what they ask the server. */
export const MODELS_FLAGS = {
  id: { value: "NAME", help: "add, pull: name that clients use; the folder's or the model's unless set" },
  remote: { help: "add: a model at a provider or another server, instead of a folder" },
  chat: { help: "add: a language model that answers, at an OpenAI-compatible server" },
  dialect: { value: "NAME", help: "add --remote: openai, openai-compatible, cohere, voyage, mistral or google" },
  model: { value: "NAME", help: "add --remote, --chat: its name there" },
  address: {
    value: "URL",
    help: "add --remote, --chat: base address up to the version, such as http://127.0.0.1:11434/v1",
  },
  "api-key-env": {
    value: "VARIABLE",
    help: "add --remote, --chat: variable of the server's environment that holds the key",
  },
  "context-tokens": { value: "N", help: "add --chat: tokens that it really takes at once; 8192 unless set" },
  dimensions: { value: "N", help: "add --remote: length of its vectors; asked for unless set" },
  "max-tokens": {
    value: "N",
    help: "add, pull: tokens that it takes at once; as its files say, of a remote one 512, unless set",
  },
  "query-prefix": { value: "TEXT", help: "add, pull: put in front of what is searched for, such as 'query: '" },
  "passage-prefix": { value: "TEXT", help: "add, pull: put in front of what is found" },
  variant: {
    value: "NAME",
    help: "add DIR, pull: the graph to run, such as int8 or model_quantized; model.onnx unless set",
  },
  matryoshka: { value: "N,N", help: "add DIR, pull: shorter lengths that its vectors can be cut to, as its card says" },
  price: { value: "USD", help: "add --remote: price of a million tokens" },
  endpoint: { value: "URL", help: "pull: hub, or a mirror of one; https://huggingface.co unless set" },
  "token-file": { value: "FILE", help: "pull: file that holds the token of the hub, for private and gated models" },
  "allow-private-addresses": { help: "pull: the hub may be in your own network; or LECTERN_ALLOW_PRIVATE_ADDRESSES" },
  offline: { help: "pull: refuse; as LECTERN_OFFLINE and a server with --offline do" },
  yes: { help: "pull: fetch without asking" },
  json: { help: "list: print the server's answer as JSON" },
  ...CONNECTION_FLAGS,
} as const satisfies Flags;

export const ModelRow = Type.Object({
  id: Type.String(),
  type: Type.String(),
  dimensions: Type.Union([Type.Integer(), Type.Null()]),
  max_tokens: Type.Union([Type.Integer(), Type.Null()]),
  location: Type.String(),
  resolves_to: Type.Union([Type.String(), Type.Null()]),
});
export type ModelRow = Static<typeof ModelRow>;

export type ModelsArguments = Arguments<typeof MODELS_FLAGS>;

const EmbeddingAnswer = Type.Object({ data: Type.Array(Type.Object({ embedding: Type.Array(Type.Number()) })) });

const Scan = Type.Object({
  models: Type.Array(
    Type.Object({
      id: Type.String(),
      usable: Type.Boolean(),
      unrelated_cosine: Type.Union([Type.Number(), Type.Null()]),
      problems: Type.Array(Type.String()),
      missing_at: Type.Optional(Type.Array(Type.String())),
    }),
  ),
});
type Scanned = Static<typeof Scan>["models"];

/** Lets the server look for models again. */
export async function scan(client: Client, signal: AbortSignal): Promise<Scanned> {
  return (await client.send(Scan, "POST", "/v1/admin/models/rescan", {}, signal)).models;
}

/** Why the model cannot be used; empty when it can. */
export function problemsOf(scanned: Scanned, id: string): string[] {
  const model = scanned.find((one) => one.id === id);
  return model === undefined ? ["the server does not find it: does it use this data directory?"] : model.problems;
}

const ChatAnswer = Type.Object({ choices: Type.Array(Type.Unknown(), { minItems: 1 }) });
const RerankAnswer = Type.Object({ results: Type.Array(Type.Object({ relevance_score: Type.Number() })) });

/**
 * One vector, or one score of a reranker, through the server: shows that the model runs. Rejects with what the server says.
 * A reranker has null dimensions.
 */
export async function probe(client: Client, id: string, signal: AbortSignal): Promise<ModelRow> {
  const model = await client.send(ModelRow, "GET", `/v1/models/${encodeURIComponent(id)}`, undefined, signal);
  if (model.type === "chat") {
    const chat = { model: id, messages: [{ role: "user", content: "Say yes." }], max_tokens: 16 };
    await client.send(ChatAnswer, "POST", "/v1/chat/completions", chat, signal);
    return model;
  }
  if (model.type === "reranker") {
    await client.send(RerankAnswer, "POST", "/v1/rerank", { model: id, query: "A", documents: ["A probe."] }, signal);
    return model;
  }
  const answer = await client.send(EmbeddingAnswer, "POST", "/v1/embeddings", { model: id, input: "A probe." }, signal);
  const dimensions = answer.data[0]?.embedding.length ?? 0;
  return { ...model, dimensions: model.dimensions ?? dimensions };
}
