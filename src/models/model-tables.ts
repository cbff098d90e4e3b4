import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Static } from "@sinclair/typebox";
import { Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { parse as parseToml, stringify } from "smol-toml";
import { type ChatModelTable, describeChat, readChatTables } from "../chat/tables.ts";
import { MOST_UNRELATED } from "./unrelated.ts";
import { messageOf } from "../errors.ts";
import { replaceFile } from "../platform/replace-file.ts";

/**
 * `[[models]]`, `[[chat_models]]` and `[aliases]`, as the configuration file has them, and `<data>/models.toml`, where
 * `lectern models add` keeps the remote models that it added. Keys of providers are never in the latter: it names the variable that holds one.
 */
export const REMOTE_DIALECTS = ["openai", "openai-compatible", "cohere", "voyage", "mistral", "google"] as const;

export const MODEL_ID = "^[A-Za-z0-9][A-Za-z0-9._-]{0,95}(/[A-Za-z0-9][A-Za-z0-9._-]{0,95})?$";

export const RemoteModelTable = Type.Object(
  {
    id: Type.String({ pattern: MODEL_ID }),
    dialect: Type.Union(REMOTE_DIALECTS.map((name) => Type.Literal(name))),
    model: Type.Optional(Type.String({ minLength: 1 })),
    address: Type.Optional(Type.String({ minLength: 1 })),
    api_key: Type.Optional(Type.String({ minLength: 1 })),
    api_key_env: Type.Optional(Type.String({ pattern: "^[A-Za-z_][A-Za-z0-9_]*$" })),
    dimensions: Type.Optional(Type.Integer({ minimum: 1, maximum: 16_384 })),
    max_tokens: Type.Optional(Type.Integer({ minimum: 16, maximum: 1_000_000 })),
    query_prefix: Type.Optional(Type.String()),
    passage_prefix: Type.Optional(Type.String()),
    usd_per_million_tokens: Type.Optional(Type.Number({ minimum: 0 })),
    unrelated_cosine: Type.Optional(Type.Number({ minimum: 0, maximum: MOST_UNRELATED })),
    /** It came with a backup, and nothing is sent before an operator has looked at it. */
    inactive: Type.Optional(Type.Boolean()),
  },
  { additionalProperties: false },
);
export type RemoteModelTable = Static<typeof RemoteModelTable>;

export interface ModelTables {
  models: RemoteModelTable[];
  aliases: Record<string, string>;
  chatModels: ChatModelTable[];
}

export type TablesRead = { ok: true; tables: ModelTables } | { ok: false; problem: string };

/** Checks `models`, `chat_models` and `aliases` of a parsed file. The problem is one line without any value, which may be a key. */
export function readModelTables(file: Record<string, unknown>): TablesRead {
  const { models = [], aliases = {} } = file;
  if (!Array.isArray(models)) return { ok: false, problem: "models must be a list: write [[models]]" };
  for (const [i, model] of models.entries()) {
    const problem = tableProblem(model);
    if (problem !== null) return { ok: false, problem: `${nameOf(model, i)}: ${problem}` };
  }
  const tables = models as RemoteModelTable[];
  const twice = tables.find((model, i) => tables.findIndex((other) => other.id === model.id) !== i);
  if (twice !== undefined) return { ok: false, problem: `two models have the id '${twice.id}'` };
  if (!isTextTable(aliases)) return { ok: false, problem: 'aliases must be a table of texts: NAME = "MODEL"' };
  const chat = readChatTables(file["chat_models"]);
  if (!chat.ok) return chat;
  const both = tables.find(({ id }) => chat.tables.some((other) => other.id === id));
  if (both !== undefined) return { ok: false, problem: `'${both.id}' is a model and a chat model` };
  return { ok: true, tables: { models: tables, aliases, chatModels: chat.tables } };
}

const addedPath = (dataDir: string): string => join(dataDir, "models.toml");

/** The models that were added by the verb; none where there is no file. */
export function readAddedModels(dataDir: string): TablesRead {
  const path = addedPath(dataDir);
  if (!existsSync(path)) return { ok: true, tables: { models: [], aliases: {}, chatModels: [] } };
  try {
    return readModelTables(parseToml(readFileSync(path, "utf8")));
  } catch (error) {
    const reason = messageOf(error).split("\n")[0] ?? "";
    return { ok: false, problem: `${path} cannot be read: ${reason}` };
  }
}

/** Durable, and never half. Of the two lists the one that is not given stays as it is. */
export function writeAddedModels(
  dataDir: string,
  { models, chatModels }: { models?: readonly RemoteModelTable[]; chatModels?: readonly ChatModelTable[] },
): void {
  const before = readAddedModels(dataDir);
  const kept = before.ok ? before.tables : { models: [], chatModels: [] };
  const tables = { models: models ?? kept.models, chat_models: chatModels ?? kept.chatModels };
  const filled = Object.fromEntries(Object.entries(tables).filter(([, list]) => list.length > 0));
  const note = "# Written by lectern models add and remove.\n";
  replaceFile(addedPath(dataDir), Object.keys(filled).length === 0 ? note : `${note}${stringify(filled)}\n`);
}

/** One that was added, of whatever kind. */
export type AddedModel = RemoteModelTable | ChatModelTable;

/**
 * Makes every added model inactive, and gives them: they are in a data directory that somebody else may have written.
 * Throws where the file cannot be read.
 */
export function deactivateAddedModels(dataDir: string): AddedModel[] {
  const added = readAddedModels(dataDir);
  if (!added.ok) throw new Error(added.problem);
  const models = added.tables.models.map((model) => ({ ...model, inactive: true }));
  const chatModels = added.tables.chatModels.map((model) => ({ ...model, inactive: true }));
  if (models.length + chatModels.length > 0) writeAddedModels(dataDir, { models, chatModels });
  return [...models, ...chatModels];
}

/** Lets those of the names be used that are inactive, and gives them. */
export function activateAddedModels(dataDir: string, names: readonly string[]): AddedModel[] {
  const added = readAddedModels(dataDir);
  if (!added.ok) return [];
  const isMeant = ({ id, inactive }: AddedModel) => inactive === true && names.includes(id);
  const activated = <T extends AddedModel>(models: readonly T[]): T[] =>
    models.map((model) => {
      const { inactive: _, ...active } = model;
      return isMeant(model) ? (active as T) : model;
    });
  const { models, chatModels } = added.tables;
  const meant = [...models, ...chatModels].filter(isMeant);
  if (meant.length > 0) writeAddedModels(dataDir, { models: activated(models), chatModels: activated(chatModels) });
  return meant;
}

/** Whom a remote model calls, and with which key, for a person who is to judge it. */
export function describeRemote(model: AddedModel): string {
  if (!("dialect" in model)) return describeChat(model);
  const { dialect, address, api_key, api_key_env } = model;
  const where = address === undefined ? `${dialect}'s own address` : `${JSON.stringify(address)} (${dialect})`;
  if (api_key_env !== undefined) return `it calls ${where} with the key in the variable ${api_key_env}`;
  if (api_key !== undefined) return `it calls ${where} with a key of its own`;
  return `it calls ${where}${address === undefined ? " with the key that is set for it" : " without a key"}`;
}

function tableProblem(model: unknown): string | null {
  const [error] = Value.Errors(RemoteModelTable, model);
  if (error !== undefined) {
    const key = error.path.slice(1).split("/")[0] ?? "";
    if (key === "") return "it must be a table with id and dialect";
    if (key === "dialect") return `dialect must be one of ${REMOTE_DIALECTS.join(", ")}`;
    return `${key} ${key in RemoteModelTable.properties ? "is missing or does not fit" : "is no setting of a model"}`;
  }
  const { api_key, api_key_env } = model as RemoteModelTable;
  if (api_key !== undefined && api_key_env !== undefined) return "api_key and api_key_env cannot both be set";
  return null;
}

function nameOf(model: unknown, index: number): string {
  const id = model !== null && typeof model === "object" && "id" in model ? model.id : null;
  return typeof id === "string" ? `model '${id}'` : `model ${index + 1}`;
}

function isTextTable(value: unknown): value is Record<string, string> {
  return (
    value !== null &&
    typeof value === "object" &&
    !Array.isArray(value) &&
    Object.values(value).every((target) => typeof target === "string" && target !== "")
  );
}
