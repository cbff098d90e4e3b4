import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";

/** `[[chat_models]]` of the configuration file and of `<data>/models.toml`: language models that answer. */
export const ChatModelTable = Type.Object(
  {
    id: Type.String({ pattern: "^[A-Za-z0-9][A-Za-z0-9._:-]{0,95}(/[A-Za-z0-9][A-Za-z0-9._:-]{0,95})?$" }),
    /** As its server calls it; the id where it is not given. */
    model: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
    address: Type.String({ minLength: 1 }),
    api_key: Type.Optional(Type.String({ minLength: 1 })),
    api_key_env: Type.Optional(Type.String({ pattern: "^[A-Za-z_][A-Za-z0-9_]*$" })),
    context_tokens: Type.Optional(Type.Integer({ minimum: 512, maximum: 10_000_000 })),
    tools: Type.Optional(Type.Union([Type.Literal("auto"), Type.Literal("never")])),
    search: Type.Optional(Type.Union([Type.Literal("always"), Type.Literal("model")])),
    system_role: Type.Optional(Type.Union([Type.Literal("system"), Type.Literal("developer"), Type.Literal("user")])),
    max_tokens_field: Type.Optional(Type.Union([Type.Literal("max_tokens"), Type.Literal("max_completion_tokens")])),
    parallel: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
    /** It came with a backup, and nothing is sent before an operator has looked at it. */
    inactive: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
);
export type ChatModelTable = Static<typeof ChatModelTable>;

export type ChatTablesRead = { ok: true; tables: ChatModelTable[] } | { ok: false; problem: string };

/** Checks `chat_models` of a parsed file. The problem is one line without any value, which may be a key. */
export function readChatTables(given: unknown): ChatTablesRead {
  if (given === undefined) return { ok: true, tables: [] };
  if (!Array.isArray(given)) return { ok: false, problem: "chat_models must be a list: write [[chat_models]]" };
  for (const [i, table] of given.entries()) {
    const problem = tableProblem(table);
    if (problem !== null) return { ok: false, problem: `chat model ${nameOf(table, i)}: ${problem}` };
  }
  const tables = given as ChatModelTable[];
  const twice = tables.find((table, i) => tables.findIndex((other) => other.id === table.id) !== i);
  if (twice !== undefined) return { ok: false, problem: `two chat models have the id '${twice.id}'` };
  return { ok: true, tables };
}

/** Whom a chat model calls, and with which key, for a person who is to judge it. */
export function describeChat({ address, api_key, api_key_env }: ChatModelTable): string {
  const where = JSON.stringify(address);
  if (api_key_env !== undefined) return `it sends questions and passages to ${where} with the key in ${api_key_env}`;
  return `it sends questions and passages to ${where} with${api_key === undefined ? "out a key" : " a key of its own"}`;
}

function tableProblem(table: unknown): string | null {
  const [error] = Value.Errors(ChatModelTable, table);
  if (error !== undefined) {
    const key = error.path.slice(1).split("/")[0] ?? "";
    if (key === "") return "it must be a table with id and address";
    return `${key} ${key in ChatModelTable.properties ? "is missing or does not fit" : "is no setting of a chat model"}`;
  }
  const { api_key, api_key_env } = table as ChatModelTable;
  if (api_key !== undefined && api_key_env !== undefined) return "api_key and api_key_env cannot both be set";
  return null;
}

function nameOf(table: unknown, index: number): string {
  const id = table !== null && typeof table === "object" && "id" in table ? table.id : null;
  return typeof id === "string" ? `'${id}'` : String(index + 1);
}
