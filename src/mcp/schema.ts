import { Type } from "@sinclair/typebox";
import type { TProperties } from "@sinclair/typebox";
import type { AppError, ErrorCode } from "../errors.ts";
import { nullable } from "../http/openai.ts";
import type { RefusalShape } from "../http/operation.ts";

const MAX_WORD = 256;
const MAX_PARAMETERS = 64;

const Id = Type.Union([Type.String({ maxLength: MAX_WORD }), Type.Integer()]);

/** For the API document: what a message has to be is known to the protocol's own library, which reads it. */
export const McpMessage = Type.Object(
  {
    jsonrpc: Type.Literal("2.0"),
    id: Type.Optional(Id),
    method: Type.String({ maxLength: MAX_WORD }),
    params: Type.Optional(Type.Record(Type.String(), Type.Unknown(), { maxProperties: MAX_PARAMETERS })),
  },
  { $id: "McpMessage", additionalProperties: false },
);

const Failure = Type.Object({
  code: Type.Integer(),
  message: Type.String(),
  data: Type.Optional(Type.Unknown()),
});

const answer = <Members extends TProperties>(members: Members, $id: string) =>
  Type.Object({ jsonrpc: Type.Literal("2.0"), id: nullable(Id), ...members }, { $id });

export const McpAnswer = answer(
  {
    result: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
    error: Type.Optional(Failure),
  },
  "McpAnswer",
);

/** JSON-RPC's numbers. */
export const PARSE_ERROR = -32_700;
export const INVALID_REQUEST = -32_600;
export const METHOD_NOT_FOUND = -32_601;
export const INVALID_PARAMS = -32_602;
export const INTERNAL_ERROR = -32_603;
/** The first of those that a server may use as it likes. */
const SERVER_ERROR = -32_000;

/** What goes wrong before there is a message: its HTTP status says what, as everywhere. */
export const MCP_REFUSAL: RefusalShape = {
  schema: answer({ error: Failure }, "McpFailure"),
  body: (error: AppError, { status }) => ({
    jsonrpc: "2.0",
    id: null,
    error: { code: numberOf(error.code, status), message: error.message },
  }),
};

function numberOf(code: ErrorCode, status: number): number {
  if (code === "invalid_json") return PARSE_ERROR;
  return status >= 500 ? INTERNAL_ERROR : SERVER_ERROR;
}
