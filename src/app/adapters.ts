/** Addresses of programs that people use already: the services of this server in the shapes that those ask for. */
import { difyOperations } from "../api/dify/routes.ts";
import { difyService } from "../api/dify/service.ts";
import { cohereOperations } from "../api/embeddings/cohere/routes.ts";
import { ollamaOperations } from "../api/embeddings/ollama/routes.ts";
import type { EmbeddingsService } from "../api/embeddings/service.ts";
import { teiOperations } from "../api/embeddings/tei/routes.ts";
import type { Watches } from "../api/following/watches.ts";
import { Place, type PlaceDeps } from "../api/librechat/place.ts";
import { librechatOperations } from "../api/librechat/routes.ts";
import { type LibreChatDeps, LibreChatService } from "../api/librechat/service.ts";
import { librechatTokens } from "../api/librechat/tokens.ts";
import { loaderOperations } from "../api/openwebui/routes.ts";
import { loaderService } from "../api/openwebui/service.ts";
import type { PassageSearch } from "../api/passages.ts";
import type { StoreAccess } from "../api/store-access.ts";
import type { ReadPages } from "../api/stored-files/reading.ts";
import type { AdapterName } from "../config/adapter-settings.ts";
import type { Config } from "../config/config.ts";
import { formLimit } from "../http/body-limit.ts";
import type { Operation } from "../http/operation.ts";
import type { ModelCatalog } from "../models/model-catalog.ts";
import type { Clock } from "../platform/clock.ts";
import type { ParseLane } from "../workers/parse-lane.ts";
import type { Engine } from "./engine.ts";

export interface AdapterParts {
  config: Config;
  engine: Engine;
  clock: Clock;
  access: StoreAccess;
  following: { watches: Watches };
  search: PassageSearch;
  files: LibreChatDeps["files"];
  attached: LibreChatDeps["attached"];
  createStore: PlaceDeps["create"];
  embeddings: EmbeddingsService;
  models: ModelCatalog;
}

const MB = 1024 * 1024;

export function adapterOperations(parts: AdapterParts): Operation[] {
  const { config, engine, access, search, files, embeddings, models } = parts;
  const { storage } = engine.data;
  const readPages = pagesReader(engine.workers.parse);
  const document = { kind: "bytes", bytes: config.maxUploadMb * MB } as const;
  const loader = loaderService({ files, readPages, limit: document, patienceMs: () => config.openwebuiSeconds * 1000 });
  const all: Record<Exclude<AdapterName, "mcp">, Operation[]> = {
    dify: difyOperations(difyService({ ...storage, access, search })),
    openwebui: loaderOperations(loader, document),
    librechat: librechat(parts, readPages),
    tei: teiOperations(embeddings, models),
    cohere: cohereOperations(embeddings),
    ollama: ollamaOperations(embeddings, models),
  };
  return Object.entries(all).flatMap(([name, operations]) =>
    config.withoutAdapters.has(name as AdapterName) ? [] : operations,
  );
}

function librechat(
  { config, engine, clock, access, following, search, files, attached, createStore }: AdapterParts,
  readPages: ReadPages,
): Operation[] {
  const { storage } = engine.data;
  const place = new Place({
    ...storage,
    store: config.librechatStore,
    create: createStore,
    requestsPerMinute: () => config.teamRequestsPerMinute,
  });
  return librechatOperations({
    service: new LibreChatService({ ...storage, ...following, access, search, files, attached, readPages }),
    userOf: librechatTokens(config.librechatJwtKey, clock),
    callerOf: () => place.caller(),
    files,
    limit: formLimit(config.maxUploadMb * MB),
  });
}

function pagesReader(parse: Pick<ParseLane, "pages">): ReadPages {
  return async (source, signal) => {
    const outcome = await parse.pages(source, signal);
    if (outcome.type === "read") return { ok: true, pages: outcome.parts };
    return outcome.type === "failed" ? { ok: false, message: outcome.error.message } : null;
  };
}
