import { describe, expect, test } from "bun:test";
import type { Schema } from "../http/json-schema.ts";
import { allOperations } from "./testing/all-operations.ts";

/**
 * Nothing in a body is without a bound of its own: what a text, a list or a map costs is known from its schema.
 * Free-form values are here by name, with what bounds them.
 */
const FREE: Readonly<Record<string, string>> = {
  "McpMessage.params.*":
    "read by the protocol's library within the bounds of the body, and by the schemas of the tools",
  "SearchRequest.filters.*": "read with a bound of its own on depth and on values",
  "CreateVectorStoreRequest.metadata.*": "4,096 bytes of JSON",
  "UpdateVectorStoreRequest.metadata.*": "4,096 bytes of JSON",
  "RerankRequest.documents[].*": "texts of a document and of all of them are counted",
  "CreateResponseRequest.input[].content[].annotations[]": "dropped",
  "CreateResponseRequest.input[].content[].logprobs[]": "dropped",
  "CreateResponseRequest.input[].content[].parsed": "dropped",
  "CreateResponseRequest.input[].parsed_arguments": "dropped",
  "CreateResponseRequest.input[].results[]": "dropped",
  "CreateResponseRequest.tools[].filters.*": "read with a bound of its own on depth and on values",
  "CreateResponseRequest.tools[].parameters.*":
    "shown as it came: the body's bounds, on bytes and on texts, lists and maps",
  "CreateResponseRequest.tool_choice.tools[].*": "as above",
  "CreateResponseRequest.text.format.schema.*": "sent on as it came: as above",
  "CreateResponseRequest.prompt_cache_options.*": "dropped",
  ...Object.fromEntries(
    ["CreateAssistantRequest", "ModifyAssistantRequest", "CreateRunRequest", "CreateThreadAndRunRequest"].flatMap(
      (name) => [
        [`${name}.tools[].function.parameters.*`, "shown as it came: the body's bounds"],
        [`${name}.response_format.json_schema.schema.*`, "shown as it came: the body's bounds"],
      ],
    ),
  ),
  "CreateChatCompletionRequest.messages[].*": "sent on as it came: the body's bounds, as above",
  "CreateConversationRequest.items[].content[].annotations[]": "dropped",
  "CreateConversationRequest.items[].content[].logprobs[]": "dropped",
  "CreateConversationRequest.items[].content[].parsed": "dropped",
  "CreateConversationRequest.items[].parsed_arguments": "dropped",
  "CreateConversationRequest.items[].results[]": "dropped",
  "CreateConversationItemsRequest.items[].content[].annotations[]": "dropped",
  "CreateConversationItemsRequest.items[].content[].logprobs[]": "dropped",
  "CreateConversationItemsRequest.items[].content[].parsed": "dropped",
  "CreateConversationItemsRequest.items[].parsed_arguments": "dropped",
  "CreateConversationItemsRequest.items[].results[]": "dropped",
};

function* unbounded(schema: Schema, path: string, seen: readonly Schema[] = []): Generator<string> {
  if (seen.includes(schema)) return;
  const inner = [...seen, schema];
  for (const branch of [...(schema.anyOf ?? []), ...(schema.allOf ?? [])]) yield* unbounded(branch, path, inner);
  // What a form sends as a file is bounded by the form.
  const isFile = (schema as { format?: string }).format === "binary";
  const isText = schema.type === "string" && !("const" in schema) && !isFile;
  if (isText && schema.maxLength === undefined) yield path;
  if (schema.type === "array") {
    if (schema.maxItems === undefined) yield path;
    if (schema.items !== undefined) yield* unbounded(schema.items, `${path}[]`, inner);
  }
  if (schema.type === "object") {
    const isClosed = schema.additionalProperties === false && schema.patternProperties === undefined;
    if (!isClosed && schema.maxProperties === undefined) yield path;
    for (const [key, member] of Object.entries(schema.properties ?? {}))
      yield* unbounded(member, `${path}.${key}`, inner);
    for (const member of Object.values(schema.patternProperties ?? {})) yield* unbounded(member, `${path}.*`, inner);
    if (typeof schema.additionalProperties === "object")
      yield* unbounded(schema.additionalProperties, `${path}.*`, inner);
  }
  const says = ["type", "anyOf", "allOf", "const", "$ref"].some((word) => Object.hasOwn(schema, word));
  if (!says) yield path;
}

const bodies = new Map(
  allOperations().flatMap(({ spec }) => {
    const schema = (spec.body ?? spec.multipart) as Schema | undefined;
    return schema === undefined ? [] : [[schema.$id ?? spec.operationId, schema] as const];
  }),
);

describe("every text, list and map of a body has a bound", () => {
  test.each([...bodies])("%s", (name, schema) => {
    expect([...unbounded(schema, name)].filter((path) => !Object.hasOwn(FREE, path))).toEqual([]);
  });

  test("what is excepted is still there", () => {
    const all = [...bodies].flatMap(([name, schema]) => [...unbounded(schema, name)]);
    expect(Object.keys(FREE).filter((path) => !all.includes(path))).toEqual([]);
  });
});

test("the texts of query strings have a bound", () => {
  const open = allOperations().flatMap(({ spec }) =>
    spec.query === undefined
      ? []
      : [...unbounded({ ...(spec.query as Schema), additionalProperties: false }, spec.operationId)],
  );
  expect(open).toEqual([]);
});
