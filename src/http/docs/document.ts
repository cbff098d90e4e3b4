import { Type } from "@sinclair/typebox";
import type { TObject, TSchema } from "@sinclair/typebox";
import type { ErrorCode } from "../../errors.ts";
import { version } from "../../platform/build-info.ts";
import { NDJSON } from "../lines.ts";
import { nullable } from "../openai.ts";
import { TAGS } from "../operation.ts";
import type { OperationSpec, RefusalShape } from "../operation.ts";
import { statusOf } from "../plugins/errors.ts";
import { openApiSchemas } from "./schemas.ts";
import type { JsonSchema } from "./schemas.ts";

/**
 * The OpenAPI 3.1 document, made of the same specifications that route and validate. The swagger plug-in assembles
 * it from the routes; each route brings its operation complete, because the plug-in's own reading of schemas knows 3.0 only.
 */
export interface ApiDocument {
  /** The operation object of one route. */
  detail(spec: OperationSpec): JsonSchema;
  /** Everything but the paths. */
  frame: JsonSchema;
}

const ErrorResponse = Type.Object(
  {
    error: Type.Object({
      message: Type.String({ description: "For people." }),
      type: Type.String({ description: "The family of the error." }),
      param: nullable(Type.String(), { description: "The parameter at fault." }),
      code: nullable(Type.String(), { description: "For programs." }),
    }),
  },
  { $id: "ErrorResponse", description: "Every failed request is answered with this." },
);

const PATH_PARAMETERS: Record<string, string> = {
  vector_store_id: "Id of the vector store (`vs_…`).",
  file_id: "Id of the file (`file-…`).",
  batch_id: "Id of the file batch (`vsfb_…`).",
  upload_id: "Id of the upload (`upload_…`).",
  response_id: "Id of the answer (`resp_…`).",
  assistant_id: "Id of the assistant (`asst_…`).",
  thread_id: "Id of the thread (`thread_…`).",
  message_id: "Id of the message (`msg_…`).",
  run_id: "Id of the run (`run_…`).",
  step_id: "Id of the step (`step_…`).",
  deployment: "Name of a model, or another name that the operator gave it.",
  model: "Id of the model; slashes and colons may be percent-encoded.",
};

const STATUS_WORDS: Record<number, string> = {
  400: "The request is not valid.",
  401: "No key, or a wrong one.",
  402: "The vector store is suspended.",
  403: "The key may not do that, or a quota is used up.",
  404: "There is no such thing, or the key may not know of it.",
  408: "The body came too slowly.",
  409: "The state does not allow it.",
  413: "The body is too large.",
  415: "The body is compressed in a way that is not known here.",
  422: "There is no text in the document.",
  429: "Too many requests; try again after `Retry-After` seconds.",
  500: "The server failed.",
  502: "The embedding provider failed.",
  503: "Not available just now; try again after `Retry-After` seconds.",
  504: "It took too long.",
  507: "The server's disk is full.",
};

const TAG_WORDS: Record<(typeof TAGS)[number], string> = {
  Files: "Documents as uploaded.",
  Uploads: "Files that arrive in parts.",
  "Vector stores": "Searchable collections of files.",
  Embeddings: "Text to vectors.",
  Responses: "Answers that quote and cite the documents.",
  Assistants: "Assistants, threads with their messages, and runs that answer in them.",
  Models: "The embedding models and rerankers of this server.",
  Lectern: "What goes beyond OpenAI's interface.",
  "Other programs": "What Dify, Open WebUI, LibreChat, and programs that speak the Model Context Protocol ask for.",
  Administration: "For administrators' keys.",
  Service: "Health and metrics.",
};

const KEYED_ERRORS: readonly ErrorCode[] = [
  "invalid_api_key",
  "permission_denied",
  "rate_limit_exceeded",
  "shutting_down",
  "too_many_connections",
];
/** Of whatever is kept. */
const WRITING_ERRORS: readonly ErrorCode[] = ["insufficient_storage", "storage_unavailable"];
const DECODING_ERRORS: readonly ErrorCode[] = ["payload_too_large", "invalid_encoding", "unsupported_encoding"];
const BODY_ERRORS: readonly ErrorCode[] = ["invalid_json", "unknown_parameter", "invalid_type"];

export function createDocument(specs: readonly OperationSpec[]): ApiDocument {
  const { components, convert } = openApiSchemas();
  const errorSchema = convert(ErrorResponse);

  const errors = (codes: readonly ErrorCode[], shape?: RefusalShape): Record<string, JsonSchema> => {
    const byStatus = Map.groupBy(new Set(codes), (code) => shape?.status?.(code, statusOf(code)) ?? statusOf(code));
    const schema = shape === undefined ? errorSchema : convert(shape.schema);
    const entries = [...byStatus].toSorted(([a], [b]) => a - b);
    return Object.fromEntries(
      entries.map(([status, list]) => [
        String(status),
        {
          description: `${STATUS_WORDS[status] ?? "Failed."} Codes: ${list.map((code) => `\`${code}\``).join(", ")}.`,
          content: { "application/json": { schema } },
        },
      ]),
    );
  };

  const detail = (spec: OperationSpec): JsonSchema => {
    const { body, multipart, bytes, query, examples } = spec;
    const codes: ErrorCode[] = [...(spec.errors ?? []), "internal_error"];
    if (spec.role !== "none") codes.push(...KEYED_ERRORS);
    if (spec.role !== "none" && spec.method !== "GET") codes.push(...WRITING_ERRORS);
    if (body !== undefined) codes.push(...BODY_ERRORS);
    if (body !== undefined || multipart !== undefined || bytes !== undefined) codes.push(...DECODING_ERRORS);
    return {
      operationId: spec.operationId,
      summary: spec.summary,
      ...(spec.description === undefined ? {} : { description: spec.description }),
      tags: [spec.tag],
      ...(spec.role === "none" ? { security: [] } : {}),
      parameters: [
        ...pathParameters(spec.path),
        ...(query === undefined ? [] : queryParameters(query, examples?.query, convert)),
      ],
      ...(body === undefined
        ? {}
        : {
            requestBody: withLines(
              content("application/json", convert(body), examples?.body, isRequired(body)),
              spec,
              convert,
            ),
          }),
      ...(multipart === undefined ? {} : { requestBody: multipartBody(convert(multipart), multipart) }),
      ...(bytes === undefined ? {} : { requestBody: bytesBody(bytes) }),
      responses: { "200": success(spec, convert), ...errors(codes, spec.refusal), ...others(spec, convert) },
    };
  };

  // Convert everything now: the frame must list the components of all operations.
  const details = new Map(specs.map((spec) => [spec, detail(spec)]));
  return {
    detail: (spec) => details.get(spec) ?? detail(spec),
    frame: {
      openapi: "3.1.0",
      info: {
        title: "Lectern",
        version,
        description:
          "OpenAI's Files, Vector Stores, Embeddings and Models on your own machine. Press Authorize and enter the API key once. " +
          "In bodies, `null` for an optional member means that it is not given, unless its schema allows null. " +
          "Bodies may be compressed (`Content-Encoding: gzip`, `deflate`, `br`, `zstd`).",
        license: { name: "Apache-2.0", identifier: "Apache-2.0" },
      },
      servers: [{ url: "/", description: "This server." }],
      tags: TAGS.filter((tag) => specs.some((spec) => spec.tag === tag)).map((name) => ({
        name,
        description: TAG_WORDS[name],
      })),
      security: [{ apiKey: [] }],
      components: {
        schemas: components,
        securitySchemes: { apiKey: { type: "http", scheme: "bearer", description: "An API key of this server." } },
      },
    },
  };
}

function success(spec: OperationSpec, convert: (schema: TSchema) => JsonSchema): JsonSchema {
  const { response, examples } = spec;
  if ("mediaType" in response && typeof response["mediaType"] === "string") {
    const schema = response["mediaType"].startsWith("text/")
      ? { type: "string" }
      : { type: "string", format: "binary" };
    return { description: response["description"], content: { [response["mediaType"]]: { schema } } };
  }
  const example = examples?.response === undefined ? {} : { example: examples.response };
  const ofLines = spec.body === undefined ? undefined : spec.lines?.response;
  const schema = convert(response as TSchema);
  return {
    description: spec.returns ?? "Success.",
    content: {
      "application/json": {
        schema: ofLines === undefined ? schema : { oneOf: [schema, convert(ofLines)] },
        ...example,
      },
    },
  };
}

/** What a line is stands as the schema: the words say that there are many. */
function withLines(requestBody: JsonSchema, spec: OperationSpec, convert: (schema: TSchema) => JsonSchema): JsonSchema {
  if (spec.body === undefined || spec.lines === undefined) return requestBody;
  const { line, description, example } = spec.lines;
  const lines = { schema: { ...convert(line), description }, example };
  return { ...requestBody, content: { ...(requestBody["content"] as JsonSchema), [NDJSON]: lines } };
}

function others(spec: OperationSpec, convert: (schema: TSchema) => JsonSchema): Record<string, JsonSchema> {
  const entries = Object.entries(spec.alsoAnswers ?? {});
  return Object.fromEntries(
    entries.map(([status, description]) => [status, { ...success(spec, convert), description }]),
  );
}

function pathParameters(path: string): JsonSchema[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => ({
    name,
    in: "path",
    required: true,
    description: PATH_PARAMETERS[name] ?? `The ${name.replaceAll("_", " ")}.`,
    schema: { type: "string" },
  }));
}

function queryParameters(
  query: TObject,
  examples: Record<string, unknown> | undefined,
  convert: (schema: TSchema) => JsonSchema,
): JsonSchema[] {
  return Object.entries(query.properties).map(([name, property]) => {
    const { description, ...schema } = convert(property);
    return {
      name,
      in: "query",
      required: query.required?.includes(name) ?? false,
      ...(description === undefined ? {} : { description }),
      schema,
      ...(examples?.[name] === undefined ? {} : { example: examples[name] }),
    };
  });
}

function content(mediaType: string, schema: JsonSchema, example: unknown, required: boolean): JsonSchema {
  return { required, content: { [mediaType]: { schema, ...(example === undefined ? {} : { example }) } } };
}

/** Objects in a form are written with brackets: `expires_after[seconds]=3600`. */
function multipartBody(schema: JsonSchema, form: TObject): JsonSchema {
  const nested = Object.entries(form.properties).filter(([, property]) => property["type"] === "object");
  const encoding = Object.fromEntries(nested.map(([name]) => [name, { style: "deepObject", explode: true }]));
  return {
    required: true,
    content: { "multipart/form-data": { schema, ...(nested.length === 0 ? {} : { encoding }) } },
  };
}

function bytesBody(description: string): JsonSchema {
  return { required: true, description, content: { "*/*": { schema: { type: "string", format: "binary" } } } };
}

function isRequired(body: TSchema): boolean {
  return Array.isArray(body["required"]) ? body["required"].length > 0 : body["type"] !== "object";
}
