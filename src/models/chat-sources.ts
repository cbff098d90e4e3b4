import type { ChatModel, ChatSource, ChatSources } from "../chat/chat-models.ts";
import { type ChatModelTable, describeChat } from "../chat/tables.ts";
import { addressProblem } from "../embed/remote/address.ts";
import { readAddedModels, writeAddedModels } from "./model-tables.ts";

/** What an operator says of chat models. */
export interface ChatSettings {
  /** The one that needs no table. */
  readonly chatAddress: string | null;
  readonly chatModel: string | null;
  readonly chatApiKey: string | null;
  readonly chatContextTokens: number;
  /** Those of the configuration file. */
  readonly chatModels: readonly ChatModelTable[];
  readonly environment: (variable: string) => string | undefined;
  /** Variables that a model of the data directory may name for its key. */
  readonly modelKeyNames: ReadonlySet<string>;
}

const DEFAULTS = { context: 8192, parallel: 4 } as const;

/** The one of the options first, then those of the configuration file, then those that `lectern models add` wrote down. */
export function chatSources(config: ChatSettings, dataDir: string): ChatSources {
  return {
    list() {
      const added = readAddedModels(dataDir);
      const others = added.ok ? added.tables.chatModels.map((table) => fromTable(config, table, true)) : [];
      const own = config.chatModels.map((table) => fromTable(config, table, false));
      const all = [...ofOptions(config), ...own, ...others];
      return all.filter((source, i) => all.findIndex((other) => idOf(other) === idOf(source)) === i);
    },
    forget(id) {
      const added = readAddedModels(dataDir);
      if (!added.ok || !added.tables.chatModels.some((table) => table.id === id)) return false;
      writeAddedModels(dataDir, { chatModels: added.tables.chatModels.filter((table) => table.id !== id) });
      return true;
    },
  };
}

function ofOptions({ chatAddress, chatModel, chatApiKey, chatContextTokens }: ChatSettings): ChatSource[] {
  if (chatAddress === null || chatModel === null) return [];
  return [built({ id: chatModel, address: chatAddress, context_tokens: chatContextTokens }, chatApiKey, false)];
}

function fromTable(config: ChatSettings, table: ChatModelTable, removable: boolean): ChatSource {
  const { id, api_key_env: wanted } = table;
  if (table.inactive === true) return { ok: false, id, problem: whyInactive(table, removable), isInactive: true };
  // A data directory may come from elsewhere, and its models name addresses: they choose among the keys meant for them.
  if (wanted !== undefined && removable && !config.modelKeyNames.has(wanted)) {
    const problem = `its key is in the variable ${wanted}, which a model of the data directory may use only where the operator's settings list it: set model-key-variables = ["${wanted}"] (or LECTERN_MODEL_KEY_VARIABLES=${wanted})`;
    return { ok: false, id, problem };
  }
  const key = table.api_key ?? (wanted === undefined ? undefined : config.environment(wanted));
  if (wanted !== undefined && (key === undefined || key === ""))
    return { ok: false, id, problem: `the environment variable ${wanted}, which holds its key, is not set` };
  return built(table, key ?? null, removable);
}

function built(table: ChatModelTable, apiKey: string | null, removable: boolean): ChatSource {
  const { id } = table;
  const problem = addressProblem(table.address);
  if (problem !== null) return { ok: false, id, problem };
  const isOpenAi = new URL(table.address).hostname === "api.openai.com";
  const model: ChatModel = {
    id,
    model: table.model ?? id,
    address: table.address.replace(/\/+$/, ""),
    apiKey,
    contextTokens: table.context_tokens ?? DEFAULTS.context,
    tools: table.tools ?? "auto",
    search: table.search ?? "always",
    systemRole: table.system_role ?? "system",
    maxTokensField: table.max_tokens_field ?? (isOpenAi ? "max_completion_tokens" : "max_tokens"),
    parallel: table.parallel ?? DEFAULTS.parallel,
  };
  return { ok: true, model, removable };
}

function whyInactive(table: ChatModelTable, removable: boolean): string {
  if (!removable) return "inactive = true is set for it in the configuration file";
  return `inactive, for it came with a backup: ${describeChat(table)}; "lectern models verify ${table.id}" lets it be used`;
}

function idOf(source: ChatSource): string {
  return source.ok ? source.model.id : source.id;
}
