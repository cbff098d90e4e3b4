/** What goes into an answer and what comes of it: the items of requests and of Responses. */
import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import { nullable, oneOf } from "../../http/openai.ts";
import { Attributes } from "../attaching/schema.ts";

/** Characters of one text at most; the body's bound is the same. */
const LONGEST = 1024 * 1024;
const MOST_PARTS = 256;

const text = (description: string) => Type.String({ maxLength: LONGEST, description });
const itemId = () => Type.Optional(Type.String({ maxLength: 128 }));
const status = () => Type.Optional(oneOf(["in_progress", "completed", "incomplete"]));

const InputText = Type.Object(
  { type: Type.Literal("input_text"), text: text("What is said.") },
  { $id: "InputTextPart", additionalProperties: false },
);
const InputImage = Type.Object(
  {
    type: Type.Literal("input_image"),
    image_url: Type.Optional(nullable(text("An address, or a data URL."))),
    file_id: Type.Optional(nullable(Type.String({ maxLength: 256 }))),
    detail: Type.Optional(nullable(Type.String({ maxLength: 16 }))),
  },
  {
    $id: "InputImagePart",
    additionalProperties: false,
    description: "Without effect where no language model answers.",
  },
);
export const InputFile = Type.Object(
  {
    type: Type.Literal("input_file"),
    file_id: Type.Optional(nullable(Type.String({ maxLength: 256 }))),
    file_data: Type.Optional(nullable(text("A data URL."))),
    filename: Type.Optional(nullable(Type.String({ maxLength: 512 }))),
    file_url: Type.Optional(nullable(Type.String({ maxLength: 8192, description: "Refused: nothing is fetched." }))),
    detail: Type.Optional(nullable(Type.String({ maxLength: 16 }))),
  },
  { $id: "InputFilePart", additionalProperties: false, description: "Without effect where no language model answers." },
);
/** As clients send it back, with what their parsing helpers put in. */
const GivenOutputText = Type.Object(
  {
    type: Type.Literal("output_text"),
    text: text("What was answered."),
    annotations: Type.Optional(nullable(Type.Array(Type.Unknown(), { maxItems: 4096 }))),
    logprobs: Type.Optional(nullable(Type.Array(Type.Unknown(), { maxItems: LONGEST }))),
    parsed: Type.Optional(Type.Unknown()),
  },
  { $id: "GivenOutputTextPart", additionalProperties: false },
);
const RefusalPart = Type.Object(
  { type: Type.Literal("refusal"), refusal: text("Why not.") },
  { $id: "RefusalPart", additionalProperties: false },
);
const GivenPart = Type.Union([InputText, InputImage, InputFile, GivenOutputText, RefusalPart]);
export type GivenPart = Static<typeof GivenPart>;

export const GivenMessage = Type.Object(
  {
    type: Type.Literal("message"),
    role: oneOf(["user", "assistant", "system", "developer"]),
    content: Type.Union([text("What is said."), Type.Array(GivenPart, { maxItems: MOST_PARTS })]),
    id: itemId(),
    status: status(),
    phase: Type.Optional(nullable(Type.String({ maxLength: 64 }))),
  },
  { $id: "GivenMessage", additionalProperties: false, description: "`type` may be left out." },
);
const GivenFunctionCall = Type.Object(
  {
    type: Type.Literal("function_call"),
    call_id: Type.String({ minLength: 1, maxLength: 256 }),
    name: Type.String({ minLength: 1, maxLength: 256 }),
    arguments: text("JSON."),
    id: itemId(),
    status: status(),
    namespace: Type.Optional(nullable(Type.String({ maxLength: 256 }))),
    parsed_arguments: Type.Optional(Type.Unknown()),
  },
  { $id: "GivenFunctionCall", additionalProperties: false },
);
const GivenFunctionOutput = Type.Object(
  {
    type: Type.Literal("function_call_output"),
    call_id: Type.String({ minLength: 1, maxLength: 256 }),
    output: Type.Union([
      text("What the function gave."),
      Type.Array(Type.Union([InputText, InputImage, InputFile]), { maxItems: MOST_PARTS }),
    ]),
    id: itemId(),
    status: status(),
  },
  { $id: "GivenFunctionOutput", additionalProperties: false },
);
const GivenSearchCall = Type.Object(
  {
    type: Type.Literal("file_search_call"),
    id: itemId(),
    status: Type.Optional(Type.String({ maxLength: 32 })),
    queries: Type.Optional(nullable(Type.Array(text("What was searched."), { maxItems: 64 }))),
    results: Type.Optional(nullable(Type.Array(Type.Unknown(), { maxItems: 4096 }))),
  },
  { $id: "GivenFileSearchCall", additionalProperties: false, description: "History: it is not searched again." },
);
const ItemReference = Type.Object(
  { type: Type.Literal("item_reference"), id: itemId() },
  { $id: "ItemReference", additionalProperties: false, description: "A stored item. `type` may be left out." },
);
/** History of tools that are not here, and of models. */
const DroppedItem = Type.Object(
  {
    type: oneOf([
      "reasoning",
      "compaction",
      "web_search_call",
      "computer_call",
      "computer_call_output",
      "image_generation_call",
      "code_interpreter_call",
      "local_shell_call",
      "local_shell_call_output",
      "shell_call",
      "shell_call_output",
      "apply_patch_call",
      "apply_patch_call_output",
      "mcp_list_tools",
      "mcp_approval_request",
      "mcp_approval_response",
      "mcp_call",
      "custom_tool_call",
      "custom_tool_call_output",
      "tool_search_call",
      "tool_search_output",
    ]),
  },
  { $id: "DroppedItem", maxProperties: 64, description: "Accepted and dropped; `lectern.ignored` names it." },
);

export const GivenItem = Type.Union([
  GivenMessage,
  GivenFunctionCall,
  GivenFunctionOutput,
  GivenSearchCall,
  ItemReference,
  DroppedItem,
]);
export type GivenItem = Static<typeof GivenItem>;

export const FileCitation = Type.Object(
  {
    type: Type.Literal("file_citation"),
    index: Type.Integer({ description: "How many Unicode code points of the text come before the citation." }),
    file_id: Type.String(),
    filename: Type.String(),
    quote: Type.Optional(
      Type.String({ description: "An exact slice of the file's content; empty once the file was deleted." }),
    ),
    start_offset: Type.Optional(
      Type.Integer({ description: "Where it stands: code points into the file's `/content`." }),
    ),
    end_offset: Type.Optional(Type.Integer()),
    vector_store_id: Type.Optional(Type.String()),
    chunk_id: Type.Optional(Type.String()),
    page: Type.Optional(nullable(Type.Integer())),
    cited_by: Type.Optional(
      oneOf(["quote", "model", "overlap"], {
        description:
          "`quote`: the text quotes it; `model`: the language model named it; `overlap`: the sentence before has its words.",
      }),
    ),
  },
  { $id: "FileCitation" },
);
export type FileCitation = Static<typeof FileCitation>;

export const OutputText = Type.Object(
  {
    type: Type.Literal("output_text"),
    text: Type.String(),
    annotations: Type.Array(FileCitation),
    logprobs: Type.Array(Type.Unknown()),
  },
  { $id: "OutputTextPart" },
);
export type OutputText = Static<typeof OutputText>;

export const OutputMessage = Type.Object(
  {
    id: Type.String(),
    type: Type.Literal("message"),
    status: oneOf(["in_progress", "completed", "incomplete"]),
    role: Type.Literal("assistant"),
    content: Type.Array(Type.Union([OutputText, RefusalPart])),
  },
  { $id: "OutputMessage" },
);
export type OutputMessage = Static<typeof OutputMessage>;

export const FoundPassage = Type.Object(
  {
    file_id: Type.String(),
    filename: Type.String(),
    score: Type.Number({ minimum: 0, maximum: 1 }),
    text: Type.String({ description: "Empty once the file was deleted." }),
    attributes: Attributes,
    vector_store_id: Type.Optional(Type.String()),
    chunk_id: Type.Optional(Type.String()),
    chunk_index: Type.Optional(Type.Integer()),
    page: Type.Optional(nullable(Type.Integer())),
    page_end: Type.Optional(nullable(Type.Integer())),
    line: Type.Optional(nullable(Type.Integer())),
    line_end: Type.Optional(nullable(Type.Integer())),
    heading: Type.Optional(Type.Array(Type.String())),
    start_offset: Type.Optional(Type.Integer({ description: "Code points into the file's `/content`." })),
    end_offset: Type.Optional(Type.Integer()),
  },
  { $id: "FoundPassage" },
);
export type FoundPassage = Static<typeof FoundPassage>;

export const FileSearchCall = Type.Object(
  {
    id: Type.String(),
    type: Type.Literal("file_search_call"),
    status: oneOf(["in_progress", "searching", "completed", "incomplete", "failed"]),
    queries: Type.Array(Type.String(), { description: "Exactly what was searched." }),
    results: nullable(Type.Array(FoundPassage), { description: "With `include`, best first." }),
  },
  { $id: "FileSearchCall" },
);
export type FileSearchCall = Static<typeof FileSearchCall>;

const InputMessage = Type.Object(
  {
    id: Type.String(),
    type: Type.Literal("message"),
    status: Type.Literal("completed"),
    role: oneOf(["user", "system", "developer"]),
    content: Type.Array(Type.Union([InputText, InputImage, InputFile])),
  },
  { $id: "InputMessage" },
);
export const FunctionCall = Type.Object(
  {
    id: Type.String(),
    type: Type.Literal("function_call"),
    status: Type.Literal("completed"),
    arguments: Type.String(),
    call_id: Type.String(),
    name: Type.String(),
  },
  { $id: "FunctionCall" },
);
export type FunctionCall = Static<typeof FunctionCall>;

export const OutputItem = Type.Union([FileSearchCall, OutputMessage, FunctionCall]);
export type OutputItem = Static<typeof OutputItem>;

const FunctionOutput = Type.Object(
  {
    id: Type.String(),
    type: Type.Literal("function_call_output"),
    status: Type.Literal("completed"),
    call_id: Type.String(),
    output: Type.Union([Type.String(), Type.Array(Type.Union([InputText, InputImage, InputFile]))]),
  },
  { $id: "FunctionOutput" },
);
export const Item = Type.Union([InputMessage, OutputMessage, FileSearchCall, FunctionCall, FunctionOutput]);
export type Item = Static<typeof Item>;

export const ItemList = Type.Object(
  {
    object: Type.Literal("list"),
    data: Type.Array(Item),
    first_id: nullable(Type.String()),
    last_id: nullable(Type.String()),
    has_more: Type.Boolean(),
  },
  { $id: "ResponseItemList" },
);
