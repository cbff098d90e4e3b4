import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import { MODEL_ID, REMOTE_DIALECTS } from "../../models/model-tables.ts";
import { oneOf } from "../../http/openai.ts";

const MODEL_LOCATIONS = ["bundled", "local", "remote", "alias"] as const;

export const Model = Type.Object(
  {
    id: Type.String(),
    object: Type.Literal("model"),
    created: Type.Integer({ description: "Unix seconds." }),
    owned_by: Type.String(),
    type: Type.Optional(
      oneOf(["embedding", "reranker", "chat"], {
        description: "Rerankers go with `ranking_options.ranker` and `POST /v1/rerank`; all others make vectors.",
      }),
    ),
    kind: Type.Optional(
      oneOf(["embedding", "reranker", "chat"], {
        description: "What it is for; `chat`: it answers in `/v1/responses`.",
      }),
    ),
    dimensions: Type.Optional(Type.Union([Type.Integer(), Type.Null()])),
    max_tokens: Type.Optional(Type.Union([Type.Integer(), Type.Null()])),
    location: Type.Optional(oneOf(MODEL_LOCATIONS)),
    revision: Type.Optional(Type.Union([Type.String(), Type.Null()])),
    resolves_to: Type.Optional(
      Type.Union([Type.String(), Type.Null()], {
        description: "The model that runs when this name is asked for.",
      }),
    ),
  },
  { $id: "Model" },
);
export type Model = Static<typeof Model>;

export const ModelList = Type.Object({ object: Type.Literal("list"), data: Type.Array(Model) }, { $id: "ModelList" });

export const ModelScan = Type.Object(
  {
    object: Type.Literal("model.scan"),
    models: Type.Array(
      Type.Object({
        id: Type.String(),
        location: Type.Union([oneOf(["bundled", "local", "remote"] as const), Type.Null()]),
        usable: Type.Boolean(),
        unrelated_cosine: Type.Union([Type.Number(), Type.Null()], {
          description:
            "Mean cosine of questions and passages that have nothing to do with each other: where its scores begin.",
        }),
        problems: Type.Array(Type.String(), { description: "Why it cannot be used." }),
        missing_at: Type.Optional(
          Type.Array(Type.String(), {
            description:
              "Where several servers share a database: those that do not have it. Each looks for models in its own data directory. Given for embedding models.",
          }),
        ),
      }),
    ),
  },
  { $id: "ModelScan" },
);
export type ModelScan = Static<typeof ModelScan>;

const nullableInteger = () => Type.Union([Type.Integer(), Type.Null()]);
const nullableText = (description: string) => Type.Union([Type.String(), Type.Null()], { description });

export const InstalledModel = Type.Object(
  {
    id: Type.String(),
    object: Type.Literal("model.installed"),
    kind: Type.Union([oneOf(["embedding", "reranker", "chat"]), Type.Null()], {
      description: "Null where it cannot be told of one that cannot be used.",
    }),
    location: Type.Union([oneOf(["bundled", "local", "remote"] as const), Type.Null()]),
    usable: Type.Boolean({ description: "It was run, or is set up, without a problem." }),
    problems: Type.Array(Type.String(), { description: "Why it cannot be used." }),
    dimensions: nullableInteger(),
    max_tokens: nullableInteger(),
    revision: Type.Union([Type.String(), Type.Null()]),
    unrelated_cosine: Type.Union([Type.Number(), Type.Null()]),
    address: nullableText("Whom it calls; null for one that runs here."),
    aliases: Type.Array(Type.String(), { description: "Other names that it answers to." }),
    vector_stores: Type.Integer({ description: "Vector stores that need it, those of all tenants." }),
    removable: Type.Boolean({
      description: "It was added to the data directory, and `DELETE /v1/models/{model}` takes it away.",
    }),
  },
  { $id: "InstalledModel", description: "A model of this server, for its operator." },
);
export type InstalledModel = Static<typeof InstalledModel>;

export const InstalledModelList = Type.Object(
  { object: Type.Literal("list"), data: Type.Array(InstalledModel) },
  { $id: "InstalledModelList" },
);

const prefix = (what: string) =>
  Type.Optional(Type.String({ maxLength: 1000, description: `Put in front of what is ${what}.` }));
const modelId = (description: string) => Type.String({ pattern: MODEL_ID, maxLength: 200, description });

/** Files of one model's folder at most. */
export const MOST_FILES = 200;

/** The multipart form of a folder, as the API document shows it. */
export const AddModelForm = Type.Object(
  {
    id: modelId("Name that clients use."),
    files: Type.Array(Type.String({ format: "binary" }), {
      minItems: 1,
      maxItems: MOST_FILES,
      description:
        "The files of the folder, each with its path in the folder as its file name: `config.json`, `onnx/model.onnx`.",
    }),
    variant: Type.Optional(Type.String({ maxLength: 200, description: "The graph to run, such as `int8`." })),
    max_tokens: Type.Optional(
      Type.String({ maxLength: 7, description: "Tokens that it takes at once; as its files say unless set." }),
    ),
    query_prefix: prefix("searched for"),
    passage_prefix: prefix("found"),
  },
  { $id: "AddModelRequest", additionalProperties: false },
);

/** The form's text fields, once read. */
export const AddModelFields = Type.Object(
  {
    id: AddModelForm.properties.id,
    variant: AddModelForm.properties.variant,
    max_tokens: Type.Optional(Type.String({ pattern: "^[1-9][0-9]{0,6}$" })),
    query_prefix: prefix("searched for"),
    passage_prefix: prefix("found"),
  },
  { additionalProperties: false },
);
export type AddModelFields = Static<typeof AddModelFields>;

export const AddRemoteModelBody = Type.Object(
  {
    id: modelId("Name that clients use."),
    dialect: oneOf(REMOTE_DIALECTS, { description: "What its server speaks." }),
    model: Type.Optional(
      Type.String({ minLength: 1, maxLength: 200, description: "Its name there; `id` unless set." }),
    ),
    address: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 500,
        description: "Base address up to the version; the provider's own unless set.",
      }),
    ),
    api_key_env: Type.Optional(
      Type.String({
        pattern: "^[A-Za-z_][A-Za-z0-9_]*$",
        maxLength: 200,
        description:
          "Name of the variable of the server's environment that holds the key. Only variables that the setting `model-key-variables` lists, or the provider's own at its own address.",
      }),
    ),
    dimensions: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 16_384, description: "Length of its vectors; asked for unless set." }),
    ),
    max_tokens: Type.Optional(Type.Integer({ minimum: 16, maximum: 1_000_000 })),
    query_prefix: prefix("searched for"),
    passage_prefix: prefix("found"),
    usd_per_million_tokens: Type.Optional(Type.Number({ minimum: 0 })),
    dry_run: Type.Optional(Type.Boolean({ description: "Only ask it for a vector; nothing is added." })),
  },
  { $id: "AddRemoteModelRequest", additionalProperties: false },
);
export type AddRemoteModelBody = Static<typeof AddRemoteModelBody>;

export const RemoteModelTrial = Type.Object(
  {
    id: Type.String(),
    object: Type.Literal("model.trial"),
    added: Type.Boolean(),
    dimensions: Type.Integer(),
    max_tokens: Type.Integer(),
    unrelated_cosine: Type.Union([Type.Number(), Type.Null()]),
    latency_ms: Type.Number({ description: "Of one vector." }),
  },
  { $id: "RemoteModelTrial" },
);
export type RemoteModelTrial = Static<typeof RemoteModelTrial>;

export const ModelDeleted = Type.Object(
  { id: Type.String(), object: Type.Literal("model"), deleted: Type.Boolean() },
  { $id: "ModelDeleted" },
);
