import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import { oneOf } from "../../http/openai.ts";

export const MODEL_LOCATIONS = ["bundled", "local", "remote", "alias"] as const;

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

export const ModelDeleted = Type.Object(
  { id: Type.String(), object: Type.Literal("model"), deleted: Type.Boolean() },
  { $id: "ModelDeleted" },
);
