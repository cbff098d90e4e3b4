import type { Operation } from "../../http/operation.ts";
import { NO_BODY } from "../../http/body-limit.ts";
import { operation } from "../../http/operation.ts";
import { presenterFor } from "../presenters/choose.ts";
import type { AddingService } from "./adding.ts";
import { addModelOperations } from "./add-routes.ts";
import { InstalledModelList, Model, ModelDeleted, ModelList, ModelScan } from "./schema.ts";
import type { ModelsService } from "./service.ts";

export function modelOperations(models: ModelsService, adding: AddingService): Operation[] {
  return [
    operation(
      {
        method: "GET",
        path: "/v1/models",
        operationId: "listModels",
        summary: "List models",
        tag: "Models",
        role: "read",
        bodyLimit: NO_BODY,
        response: ModelList,
        returns: "All models that can be asked for",
      },
      ({ dialect }) => ({ object: "list", data: models.list().map(presenterFor(dialect).model) }),
    ),
    operation(
      {
        method: "GET",
        path: "/v1/models/{model}",
        operationId: "retrieveModel",
        summary: "Retrieve a model",
        tag: "Models",
        role: "read",
        bodyLimit: NO_BODY,
        response: Model,
        returns: "The model",
        errors: ["model_not_found"],
      },
      ({ params, dialect }) => presenterFor(dialect).model(models.get(params.model)),
    ),
    operation(
      {
        method: "DELETE",
        path: "/v1/models/{model}",
        operationId: "deleteModel",
        summary: "Delete a model that was added to the data directory",
        tag: "Models",
        role: "admin",
        operatorOnly: true,
        bodyLimit: NO_BODY,
        response: ModelDeleted,
        returns: "That it is gone",
        errors: ["model_not_found", "model_not_deletable"],
      },
      ({ params }) => models.remove(params.model),
    ),
    operation(
      {
        method: "GET",
        path: "/v1/admin/models",
        operationId: "listInstalledModels",
        summary: "List models with where they run and who needs them",
        description: "As they were found at the last look; those that cannot be used too, with what is wrong.",
        tag: "Administration",
        role: "admin",
        operatorOnly: true,
        bodyLimit: NO_BODY,
        response: InstalledModelList,
        returns: "All models",
      },
      async () => ({ object: "list", data: await models.installed() }),
    ),
    operation(
      {
        method: "POST",
        path: "/v1/admin/models/rescan",
        operationId: "rescanModels",
        summary: "Look for models again",
        description:
          "In the data directory's models folder and among the remote models set up there. Needs no body. `lectern models` uses it.",
        tag: "Administration",
        role: "admin",
        operatorOnly: true,
        bodyLimit: NO_BODY,
        response: ModelScan,
        returns: "All models that were found, with what is wrong with those that cannot be used",
      },
      () => models.rescan(),
    ),
    ...addModelOperations(adding, models),
  ];
}
