import { join } from "node:path";
import { addingService } from "../api/models/adding.ts";
import { modelOperations } from "../api/models/routes.ts";
import { modelsService } from "../api/models/service.ts";
import type { Space } from "../api/stored-files/space.ts";
import type { Operation } from "../http/operation.ts";
import { FolderAdder } from "../models/folder-adder.ts";
import type { ModelCatalog } from "../models/model-catalog.ts";
import { tryModel } from "../workers/model-trial.ts";
import type { Engine } from "./engine.ts";
import { modelFinder } from "./found-models.ts";

export interface ModelOperationParts {
  engine: Engine;
  dataDir: string;
  models: ModelCatalog;
  space: Space;
}

/** The operations that are about models themselves. */
export function modelOperationsOf({ engine, dataDir, models, space }: ModelOperationParts): Operation[] {
  const { chat, workers, data } = engine;
  const finder = modelFinder(engine);
  const others = () => data.replica?.others ?? [];
  const service = modelsService({ models, chat: chat.models, ...data.storage, ...finder, others });
  const adding = addingService({
    adder: new FolderAdder({ directory: join(dataDir, "models"), run: (folder) => tryModel(folder, workers) }),
    space,
    ...finder,
    tryRemote: (table) => engine.models.tryRemote(table),
    rememberRemote: (table) => engine.models.rememberRemote(table),
    forgetRemote: (id) => void engine.models.remove(id),
  });
  return modelOperations(service, adding);
}
