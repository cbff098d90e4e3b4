import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import { jsonLimit } from "../http/body-limit.ts";
import { cursorQuery, deletedSchema, idText, listSchema, nullable, unixSeconds } from "../http/openai.ts";

/** Thousands of queries, each with the ids of some answers. */
export const JUDGED_BODY = jsonLimit(16 * 1024 * 1024, 300_000);
/** Judged queries of a store, and of an evaluation that brings its own, at most. */
export const MAX_JUDGMENTS = 10_000;
/** Files and chunks judged for one query at most. */
export const MAX_RELEVANT = 1_000;
const MAX_QUERY_CHARACTERS = 8_192;

const RelevantBody = Type.Object(
  {
    file_id: Type.Optional(idText({ description: "A file of the store, wherever in it the answer is." })),
    chunk_id: Type.Optional(idText({ description: "One chunk of the store, instead of a file." })),
    grade: Type.Optional(
      Type.Number({ minimum: 0, maximum: 1000, default: 1, description: "How good an answer it is; 0 is none." }),
    ),
  },
  { $id: "JudgmentRelevantRequest", additionalProperties: false },
);

const JudgmentBody = Type.Object(
  {
    query: Type.String({ minLength: 1, maxLength: MAX_QUERY_CHARACTERS }),
    relevant: Type.Array(RelevantBody, { minItems: 1, maxItems: MAX_RELEVANT }),
  },
  { $id: "JudgmentRequest", additionalProperties: false },
);
export type JudgmentBody = Static<typeof JudgmentBody>;

/** In the bodies of uploads and of evaluations. */
export const JudgmentList = Type.Array(JudgmentBody, { minItems: 1, maxItems: MAX_JUDGMENTS });

export const AddJudgmentsBody = Type.Object(
  {
    judgments: JudgmentList,
    merge: Type.Optional(
      Type.Boolean({
        default: false,
        description:
          "The given files and chunks are added to those that are judged for the query already, or get another grade; the rest of its list stays. Every grade may then be 0.",
      }),
    ),
  },
  { $id: "AddJudgmentsRequest", additionalProperties: false },
);
export type AddJudgmentsBody = Static<typeof AddJudgmentsBody>;

/** What is judged for a query, as it is shown. */
export const ShownRelevant = Type.Object({
  file_id: nullable(Type.String(), { description: "Of a chunk: the file that it was of when it was judged." }),
  filename: nullable(Type.String(), { description: "Null where the file is not in the store any more." }),
  chunk_id: Type.Optional(Type.String({ description: "Where one chunk is meant." })),
  grade: Type.Number(),
});
export type ShownRelevant = Static<typeof ShownRelevant>;

export const Judgment = Type.Object(
  {
    id: Type.String({ description: "`q_…`" }),
    object: Type.Literal("vector_store.judgment"),
    vector_store_id: Type.String(),
    created_at: unixSeconds("When the query was first judged."),
    query: Type.String(),
    relevant: Type.Array(ShownRelevant),
  },
  { $id: "Judgment", description: "A query with what should be found." },
);
export type Judgment = Static<typeof Judgment>;

export const JudgmentPage = listSchema(Judgment, "JudgmentList");

export const ListJudgmentsQuery = Type.Object({
  ...cursorQuery(),
  query: Type.Optional(
    Type.String({ maxLength: MAX_QUERY_CHARACTERS, description: "Only what is judged for exactly this query." }),
  ),
});

export const AddedJudgments = Type.Object(
  {
    ...JudgmentPage.properties,
    added: Type.Integer({ description: "Queries that were not judged before." }),
    replaced: Type.Integer({ description: "Queries that were, and have another list of answers now." }),
    total: Type.Integer({ description: "Judged queries of the store." }),
  },
  { $id: "AddedJudgments", description: "What was added, in the order given." },
);

export const JudgmentDeleted = deletedSchema("vector_store.judgment.deleted", "JudgmentDeleted");

export const JudgmentsDeleted = Type.Object(
  {
    id: Type.String({ description: "The store's id." }),
    object: Type.Literal("vector_store.judgments.deleted"),
    deleted: Type.Boolean(),
    count: Type.Integer({ description: "How many there were." }),
  },
  { $id: "JudgmentsDeleted" },
);
