import { Value } from "@sinclair/typebox/value";
import { ChatModelTable } from "../chat/tables.ts";
import { readAddedModels, writeAddedModels } from "../models/model-tables.ts";
import { integerFlag } from "./arguments.ts";
import type { Client } from "./client.ts";
import { type ModelsArguments, problemsOf, scan } from "./model-requests.ts";
import { type Terminal, UsageError, VerbFailed } from "./terminal.ts";

/** Flags of `add` that say nothing of a chat model. */
const FOREIGN = [
  "remote",
  "dialect",
  "dimensions",
  "max-tokens",
  "query-prefix",
  "passage-prefix",
  "variant",
  "price",
] as const;

/** `add --chat`: writes the model into the operator's file and lets the server look for it. Nothing is sent to it. */
export async function addChatModel(
  args: ModelsArguments,
  dataDir: string,
  client: Client,
  terminal: Terminal,
): Promise<number> {
  const stray = FOREIGN.find((flag) => args.has(flag));
  if (stray !== undefined) throw new UsageError(`--${stray} is not for models add --chat.`);
  const table = tableOf(args);
  const before = readAddedModels(dataDir);
  if (!before.ok) throw new VerbFailed(before.problem);
  const { chatModels, models } = before.tables;
  if ([...chatModels, ...models].some(({ id }) => id === table.id))
    throw new VerbFailed(`There is a model '${table.id}' already: remove it first, or choose another name with --id.`);
  writeAddedModels(dataDir, { chatModels: [...chatModels, table] });
  const problems = problemsOf(await scan(client, terminal.signal), table.id);
  if (problems.length === 0) {
    terminal.out(`${table.id}\n`);
    terminal.err(`Added ${table.id}: it answers in /v1/responses.\n`);
    return 0;
  }
  writeAddedModels(dataDir, { chatModels });
  await scan(client, terminal.signal);
  terminal.err(`${table.id} cannot be used:\n${problems.map((problem) => `  - ${problem}\n`).join("")}`);
  return 1;
}

function tableOf(args: ModelsArguments): ChatModelTable {
  const [model, address] = [args.get("model"), args.get("address")];
  if (model === undefined || address === undefined)
    throw new UsageError("Say which model, and where: --model NAME --address URL.");
  const id = args.get("id") ?? model;
  const given = {
    id,
    model: model === id ? undefined : model,
    address,
    api_key_env: args.get("api-key-env"),
    context_tokens: args.has("context-tokens")
      ? integerFlag("context-tokens", args.get("context-tokens"), 8192, 512, 10_000_000)
      : undefined,
  };
  const table: unknown = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  if (Value.Check(ChatModelTable, table)) return table;
  const key = Value.Errors(ChatModelTable, table).First()?.path.slice(1).replaceAll("_", "-") ?? "";
  throw new UsageError(`--${key} does not fit; see lectern help models.`);
}
