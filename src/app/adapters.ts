/** Addresses of programs that people use already: the services of this server in the shapes that those ask for. */
import { difyOperations } from "../api/dify/routes.ts";
import { difyService } from "../api/dify/service.ts";
import { loaderOperations } from "../api/openwebui/routes.ts";
import { loaderService } from "../api/openwebui/service.ts";
import type { PassageSearch } from "../api/passages.ts";
import type { StoreAccess } from "../api/store-access.ts";
import type { ReadPages } from "../api/stored-files/reading.ts";
import type { FileStoring } from "../api/stored-files/storing.ts";
import type { Config } from "../config/config.ts";
import type { Operation } from "../http/operation.ts";
import type { ParseLane } from "../workers/parse-lane.ts";
import type { Engine } from "./engine.ts";

export interface AdapterParts {
  config: Config;
  engine: Engine;
  access: StoreAccess;
  search: PassageSearch;
  files: FileStoring;
}

const MB = 1024 * 1024;

export function adapterOperations({ config, engine, access, search, files }: AdapterParts): Operation[] {
  const { storage } = engine.data;
  const readPages = pagesReader(engine.workers.parse);
  const document = { kind: "bytes", bytes: config.maxUploadMb * MB } as const;
  return [
    ...difyOperations(difyService({ ...storage, access, search })),
    ...loaderOperations(loaderService({ files, readPages, limit: document }), document),
  ];
}

function pagesReader(parse: Pick<ParseLane, "pages">): ReadPages {
  return async (source, signal) => {
    const outcome = await parse.pages(source, signal);
    if (outcome.type === "read") return { ok: true, pages: outcome.parts };
    return outcome.type === "failed" ? { ok: false, message: outcome.error.message } : null;
  };
}
