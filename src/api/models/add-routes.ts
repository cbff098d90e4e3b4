import { AppError } from "../../errors.ts";
import { formLimit, SMALL_BODY } from "../../http/body-limit.ts";
import { nestFields } from "../../http/form-fields.ts";
import { readMultipart } from "../../http/multipart.ts";
import { operation } from "../../http/operation.ts";
import type { Operation } from "../../http/operation.ts";
import { assertValid, compileValidator } from "../../http/validate.ts";
import { presenterFor } from "../presenters/choose.ts";
import type { AddingService } from "./adding.ts";
import { AddModelFields, AddModelForm, AddRemoteModelBody, Model, MOST_FILES, RemoteModelTrial } from "./schema.ts";
import type { ModelsService } from "./service.ts";

/** All files of a folder together, and one of them alone. */
const MODEL_LIMIT = formLimit(4 * 1024 * 1024 * 1024);

const about = { tag: "Administration", role: "admin", operatorOnly: true } as const;

/** `/v1/admin/models`: what puts models into the data directory. */
export function addModelOperations(adding: AddingService, models: Pick<ModelsService, "get">): Operation[] {
  return [folderOperation(adding, models), remoteOperation(adding)];
}

function folderOperation(adding: AddingService, models: Pick<ModelsService, "get">): Operation {
  const fieldsValidator = compileValidator(AddModelFields);
  return operation(
    {
      ...about,
      method: "POST",
      path: "/v1/admin/models",
      operationId: "addModel",
      summary: "Add an ONNX model's folder",
      description:
        "What `lectern models add DIR` does, from elsewhere: the folder is run once in a process of its own and is then in its place whole, or not at all. At most 200 files and 4 GiB; one model at a time.",
      multipart: AddModelForm,
      bodyLimit: MODEL_LIMIT,
      response: Model,
      returns: "The model, which can be used now",
      errors: [
        "missing_required_parameter",
        "invalid_value",
        "invalid_multipart",
        "payload_too_large",
        "request_timeout",
        "insufficient_storage",
        "overloaded",
      ],
    },
    async ({ request, caller, dialect, keepOpen }) => {
      keepOpen();
      const declared = Number(request.headers.get("content-length") ?? "0");
      const folder = await adding.beginFolder(caller, Math.min(declared, MODEL_LIMIT.bytes));
      try {
        const form = await readMultipart(request, {
          fileField: "files",
          limit: MODEL_LIMIT,
          sink: (chunk) => folder.files.write(chunk),
          several: { most: MOST_FILES, begin: (name) => folder.files.begin(name) },
          unwanted: folder.signal,
        });
        const fields = nestFields(form.fields);
        if (form.file === null)
          throw new AppError("missing_required_parameter", "Missing required parameter: 'files'.", { param: "files" });
        assertValid(fieldsValidator, fields);
        await folder.finish(fields as AddModelFields);
        return presenterFor(dialect).model(models.get((fields as AddModelFields).id));
      } finally {
        await folder.end();
      }
    },
  );
}

function remoteOperation(adding: AddingService): Operation {
  return operation(
    {
      ...about,
      method: "POST",
      path: "/v1/admin/models/remote",
      operationId: "addRemoteModel",
      summary: "Add or try an embedding model at a provider or another server",
      description:
        "What `lectern models add --remote` does: the model is asked for a vector first. Of its key only the name of the variable is told that holds it in the server's environment.",
      body: AddRemoteModelBody,
      bodyLimit: SMALL_BODY,
      response: RemoteModelTrial,
      returns: "What the model answered",
      errors: ["invalid_value"],
      examples: {
        body: {
          id: "house-embed",
          dialect: "openai-compatible",
          address: "http://127.0.0.1:11434/v1",
          model: "nomic-embed-text",
          dry_run: true,
        },
      },
    },
    async ({ body, keepOpen }) => {
      keepOpen();
      return await adding.addRemote(body);
    },
  );
}
