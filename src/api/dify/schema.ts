import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import { oneOf } from "../../http/openai.ts";

const MAX_QUERY_CHARACTERS = 65_536;
/** Dify asks for so many at most; a search gives fewer. */
const MAX_TOP_K = 100;
const MAX_CONDITIONS = 64;
const MAX_VALUES = 1000;
/** Of a value: longer than any attribute. */
const MAX_VALUE = 4096;

export const OPERATORS = [
  "contains",
  "not contains",
  "start with",
  "end with",
  "is",
  "is not",
  "in",
  "not in",
  "empty",
  "not empty",
  "=",
  "≠",
  ">",
  "<",
  "≥",
  "≤",
  "before",
  "after",
] as const;

const Text = Type.String({ maxLength: MAX_VALUE });
const Single = [Text, Type.Number()];

export const Condition = Type.Object(
  {
    name: Type.String({
      minLength: 1,
      maxLength: 256,
      description: "An attribute of the file, or `document_id`, or `filename`.",
    }),
    comparison_operator: oneOf(OPERATORS),
    value: Type.Optional(
      Type.Union([...Single, Type.Array(Type.Union(Single), { maxItems: MAX_VALUES }), Type.Null()], {
        description: "A condition whose value is null is passed over, unless it is `empty` or `not empty`.",
      }),
    ),
  },
  { additionalProperties: false },
);
export type Condition = Static<typeof Condition>;

export const DifyBody = Type.Object(
  {
    knowledge_id: Type.String({
      minLength: 1,
      maxLength: 256,
      description: "The id of a vector store, or its name.",
    }),
    query: Type.String({ minLength: 1, maxLength: MAX_QUERY_CHARACTERS }),
    retrieval_setting: Type.Optional(
      Type.Object(
        {
          top_k: Type.Optional(
            Type.Integer({ minimum: 1, maximum: MAX_TOP_K, default: 5, description: "A search gives 50 at most." }),
          ),
          score_threshold: Type.Optional(Type.Number({ minimum: 0, maximum: 1, default: 0 })),
        },
        { additionalProperties: false },
      ),
    ),
    metadata_condition: Type.Optional(
      Type.Object(
        {
          logical_operator: Type.Optional(oneOf(["and", "or"], { default: "and" })),
          conditions: Type.Optional(Type.Array(Condition, { maxItems: MAX_CONDITIONS })),
        },
        { additionalProperties: false, description: "Which files are searched." },
      ),
    ),
  },
  { $id: "DifyRetrievalRequest", additionalProperties: false },
);
export type DifyBody = Static<typeof DifyBody>;

export const DifyRecords = Type.Object(
  {
    records: Type.Array(
      Type.Object({
        content: Type.String(),
        score: Type.Number({ minimum: 0, maximum: 1 }),
        title: Type.String({ description: "The file's name." }),
        metadata: Type.Record(Type.String(), Type.Unknown(), {
          description:
            "The file's attributes, and `document_id`, `chunk_id`, `path`, `page`, `heading` where no attribute has that name.",
        }),
      }),
    ),
  },
  { $id: "DifyRetrievalResponse" },
);
export type DifyRecords = Static<typeof DifyRecords>;

export const DifyError = Type.Object(
  {
    error_code: Type.Integer({
      description: "1001: no key; 1002: a wrong one; 2001: no such store; else 1000 + status.",
    }),
    error_msg: Type.String(),
  },
  { $id: "DifyError" },
);
export type DifyError = Static<typeof DifyError>;
