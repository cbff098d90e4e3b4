import { ChatClient, type ChatUse } from "../chat/client.ts";
import { ChatModels } from "../chat/chat-models.ts";
import type { Config } from "../config/config.ts";
import { resolveHost } from "../embed/remote/address.ts";
import { chatSources } from "../models/chat-sources.ts";
import { StartError } from "../platform/data-dir.ts";
import type { Log } from "../platform/log.ts";
import type { Metrics } from "../platform/metrics.ts";
import { CHAT_CALLS, CHAT_FIRST_TOKEN, CHAT_TOKENS, CHAT_WAITING } from "./metric-list.ts";

/** The language models of this server. Throws where the default one is named and cannot be used. */
export function openChat(
  config: Config,
  { dataDir, log, metrics }: { dataDir: string; log: Log; metrics: Metrics },
): { models: ChatModels; client: ChatClient } {
  const { offline, defaultChatModel, allowPrivateAddresses: allowPrivate } = config;
  const models = new ChatModels({ sources: chatSources(config, dataDir), defaultModel: defaultChatModel, offline });
  if (models.problem !== null) throw new StartError(models.problem);
  for (const source of models.rescan())
    if (!source.ok) log.warn("a chat model cannot be used", { model: source.id, problem: source.problem });
  const client = new ChatClient({
    access: { policy: { allowPrivate, offline }, resolve: resolveHost },
    silenceMs: () => config.chatTimeoutSeconds * 1000,
    onUse: (use) => countUse(metrics, use),
  });
  metrics.gauge(CHAT_WAITING, () => client.waiting);
  return { models, client };
}

function countUse(metrics: Metrics, { model, outcome, firstTokenSeconds, tokens }: ChatUse): void {
  metrics.count(CHAT_CALLS, { model, outcome });
  metrics.count(CHAT_TOKENS, { model, kind: "input" }, tokens.input);
  metrics.count(CHAT_TOKENS, { model, kind: "output" }, tokens.output);
  if (firstTokenSeconds !== null) metrics.observe(CHAT_FIRST_TOKEN, firstTokenSeconds, { model });
}
