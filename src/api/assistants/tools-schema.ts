import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import { idText, nullable, oneOf } from "../../http/openai.ts";
import { HybridWeights, RankingOptions } from "../ranking-options.ts";
import { ChunkingStrategyRequest, MAX_PAIRS, MAX_TEXT } from "../attaching/schema.ts";

/** What assistants, threads and runs have in common: tools, what these work on, metadata. */

/** OpenAI's limit on instructions. A character may be two of the units in which schemas count: checked exactly after. */
export const MAX_CHARACTERS = 256_000;
const MOST_MEMBERS = 1024;
export const free = () => Type.Record(Type.String(), Type.Unknown(), { maxProperties: MOST_MEMBERS });
/** `characters` are code points; the exact check comes after. */
export const upTo = (characters: number, minLength = 0) => Type.String({ minLength, maxLength: 2 * characters });

export const Metadata = Type.Record(Type.String(), Type.String({ maxLength: 2 * MAX_TEXT }), {
  maxProperties: MAX_PAIRS,
  description: "At most 16 pairs; keys of at most 64, values of at most 512 characters.",
});

export const Ranking = Type.Object(
  {
    ranker: Type.Optional(RankingOptions.properties.ranker),
    score_threshold: Type.Number({ minimum: 0, maximum: 1 }),
    hybrid_search: Type.Optional(nullable(HybridWeights)),
  },
  { $id: "AssistantRankingOptions", additionalProperties: false },
);

const FileSearch = Type.Object(
  {
    type: Type.Literal("file_search"),
    file_search: Type.Optional(
      Type.Object(
        {
          max_num_results: Type.Optional(Type.Integer({ minimum: 1, maximum: 50 })),
          ranking_options: Type.Optional(Ranking),
        },
        { additionalProperties: false },
      ),
    ),
  },
  { $id: "AssistantFileSearchTool", additionalProperties: false },
);

export const FunctionName = Type.String({ pattern: "^[A-Za-z0-9_-]{1,64}$", maxLength: 64 });

const AssistantFunction = Type.Object(
  {
    type: Type.Literal("function"),
    function: Type.Object(
      {
        name: FunctionName,
        description: Type.Optional(Type.String({ maxLength: 1024 * 1024 })),
        parameters: Type.Optional(free()),
        strict: Type.Optional(nullable(Type.Boolean())),
      },
      { additionalProperties: false },
    ),
  },
  {
    $id: "AssistantFunctionTool",
    additionalProperties: false,
    description: "Without effect where no language model answers.",
  },
);

const CodeInterpreter = Type.Object(
  { type: Type.Literal("code_interpreter") },
  { $id: "AssistantCodeTool", additionalProperties: false, description: "Accepted, without effect." },
);

export const AssistantTool = Type.Union([FileSearch, AssistantFunction, CodeInterpreter]);
export type AssistantTool = Static<typeof AssistantTool>;

const fileIds = (maxItems: number) => Type.Array(idText(), { maxItems });

const CodeFiles = Type.Object({ file_ids: Type.Optional(fileIds(20)) }, { additionalProperties: false });
const StoreIds = Type.Array(idText(), { maxItems: 1 });

export const GivenResources = Type.Object(
  {
    code_interpreter: Type.Optional(nullable(CodeFiles)),
    file_search: Type.Optional(
      nullable(
        Type.Object(
          {
            vector_store_ids: Type.Optional(StoreIds),
            vector_stores: Type.Optional(
              Type.Array(
                Type.Object(
                  {
                    file_ids: Type.Optional(fileIds(10_000)),
                    chunking_strategy: Type.Optional(ChunkingStrategyRequest),
                    metadata: Type.Optional(Metadata),
                  },
                  { additionalProperties: false },
                ),
                { maxItems: 1, description: "Makes a vector store with these files, and shows it in its place." },
              ),
            ),
          },
          { additionalProperties: false },
        ),
      ),
    ),
  },
  { $id: "GivenToolResources", additionalProperties: false },
);
export type GivenResources = Static<typeof GivenResources>;

/** Of a run: what is there already. */
export const RunResources = Type.Object(
  {
    code_interpreter: Type.Optional(nullable(CodeFiles)),
    file_search: Type.Optional(
      nullable(Type.Object({ vector_store_ids: Type.Optional(StoreIds) }, { additionalProperties: false })),
    ),
  },
  { $id: "RunToolResources", additionalProperties: false },
);
export type RunResources = Static<typeof RunResources>;

export const ShownResources = Type.Object(
  {
    code_interpreter: Type.Optional(Type.Object({ file_ids: Type.Array(Type.String()) })),
    file_search: Type.Optional(Type.Object({ vector_store_ids: Type.Array(Type.String()) })),
  },
  { $id: "ToolResources" },
);

export const ResponseFormat = Type.Union([
  Type.Literal("auto"),
  Type.Object({ type: Type.Literal("text") }, { additionalProperties: false }),
  Type.Object({ type: Type.Literal("json_object") }, { additionalProperties: false }),
  Type.Object(
    {
      type: Type.Literal("json_schema"),
      json_schema: Type.Object(
        {
          name: FunctionName,
          description: Type.Optional(nullable(Type.String({ maxLength: 1024 * 1024 }))),
          schema: Type.Optional(nullable(free())),
          strict: Type.Optional(nullable(Type.Boolean())),
        },
        { additionalProperties: false },
      ),
    },
    { additionalProperties: false },
  ),
]);
export type ResponseFormat = Static<typeof ResponseFormat>;

const ReasoningEffort = Type.String({ maxLength: 64 });

/** The members that an assistant and a run share. */
export const sampling = () => ({
  temperature: Type.Optional(nullable(Type.Number({ minimum: 0, maximum: 2 }))),
  top_p: Type.Optional(nullable(Type.Number({ minimum: 0, maximum: 1 }))),
  response_format: Type.Optional(nullable(ResponseFormat)),
  reasoning_effort: Type.Optional(nullable(ReasoningEffort)),
});

/** As they are shown: with every default filled in. */
export const ShownTool = Type.Record(Type.String(), Type.Unknown(), { description: "As given, defaults filled in." });
export const shownSampling = () => ({
  temperature: Type.Number(),
  top_p: Type.Number(),
  reasoning_effort: nullable(Type.String()),
});
export const ShownMetadata = Type.Record(Type.String(), Type.String());

const STEP_CONTENT = "step_details.tool_calls[*].file_search.results[*].content";
/** What else of steps can be asked for. */
export const includeQuery = () => ({
  include: Type.Optional(
    Type.Array(oneOf([STEP_CONTENT]), { maxItems: 8, description: "The text of the passages that were found." }),
  ),
});
