import { displayName, safeMime } from "../../http/filename.ts";
import { nestFields } from "../../http/form-fields.ts";
import { readMultipart } from "../../http/multipart.ts";
import { AppError } from "../../errors.ts";
import { listPage, readCursor } from "../../http/openai.ts";
import { NO_BODY, formLimit } from "../../http/body-limit.ts";
import { operation } from "../../http/operation.ts";
import type { Operation } from "../../http/operation.ts";
import { assertValid, compileValidator } from "../../http/validate.ts";
import { presenterFor } from "../presenters/choose.ts";
import { contentResponse } from "./content.ts";
import { presentFile } from "../stored-files/present.ts";
import {
  DeletedFile,
  FILE_LIST,
  FileList,
  ListFilesQuery,
  OpenAIFile,
  UploadFields,
  UploadForm,
} from "../stored-files/schema.ts";
import type { FilesService } from "./service.ts";

/** `/v1/files` */
export function fileOperations(files: FilesService, maxFileBytes: number): Operation[] {
  const limit = formLimit(maxFileBytes);
  const fieldsValidator = compileValidator(UploadFields);
  return [
    operation(
      {
        method: "POST",
        path: "/v1/files",
        operationId: "createFile",
        summary: "Upload a file",
        description:
          "Stores a document. Attach it to a vector store to make it searchable. Parts may come in any order and without a length.",
        tag: "Files",
        role: "write",
        multipart: UploadForm,
        bodyLimit: limit,
        response: OpenAIFile,
        returns: "The uploaded file.",
        errors: [
          "missing_required_parameter",
          "invalid_value",
          "invalid_multipart",
          "payload_too_large",
          "request_timeout",
          "storage_limit_reached",
          "insufficient_storage",
          "storage_unavailable",
        ],
      },
      async ({ request, caller, dialect, keepOpen }) => {
        keepOpen();
        const bytes = Math.min(Number(request.headers.get("content-length") ?? "0"), maxFileBytes);
        const incoming = await files.begin({ owner: caller, bytes, areNew: true });
        try {
          const form = await readMultipart(request, {
            fileField: "file",
            limit,
            sink: (chunk) => incoming.write(chunk),
            unwanted: incoming.signal,
          });
          const fields = nestFields(form.fields);
          if (form.file === null)
            throw new AppError("missing_required_parameter", "Missing required parameter: 'file'.", { param: "file" });
          assertValid(fieldsValidator, fields);
          const { purpose, expires_after } = fields as UploadFields;
          const row = await files.commit(incoming, {
            owner: caller,
            filename: displayName(form.file.filename, presenterFor(dialect).rules),
            mime: safeMime(form.file.mimeType),
            purpose,
            expiresAfterSeconds: expires_after?.seconds ?? null,
          });
          return presentFile(row, dialect);
        } finally {
          await incoming.discard();
        }
      },
    ),
    operation(
      {
        method: "GET",
        path: "/v1/files",
        operationId: "listFiles",
        summary: "List files",
        tag: "Files",
        role: "read",
        bodyLimit: NO_BODY,
        query: ListFilesQuery,
        response: FileList,
        returns: "A page of files.",
        errors: ["integer_above_max_value", "integer_below_min_value", "invalid_value"],
      },
      async ({ query, caller, dialect }) => {
        const page = await files.list(caller, readCursor(query, FILE_LIST), query.purpose ?? null);
        return listPage(
          page.rows.map((row) => presentFile(row, dialect)),
          page.hasMore,
          dialect,
        );
      },
    ),
    operation(
      {
        method: "GET",
        path: "/v1/files/{file_id}",
        operationId: "retrieveFile",
        summary: "Retrieve a file",
        tag: "Files",
        role: "read",
        bodyLimit: NO_BODY,
        response: OpenAIFile,
        returns: "The file.",
        errors: ["file_not_found"],
      },
      async ({ params, caller, dialect }) => presentFile(await files.find(caller, params.file_id), dialect),
    ),
    operation(
      {
        method: "DELETE",
        path: "/v1/files/{file_id}",
        operationId: "deleteFile",
        summary: "Delete a file",
        description: "Deletes the file and removes it from all vector stores before it answers.",
        tag: "Files",
        role: "write",
        bodyLimit: NO_BODY,
        response: DeletedFile,
        returns: "What was deleted.",
        errors: ["file_not_found", "permission_denied"],
      },
      async ({ params, caller }) => {
        await files.remove(caller, params.file_id);
        return { id: params.file_id, object: "file", deleted: true };
      },
    ),
    operation(
      {
        method: "GET",
        path: "/v1/files/{file_id}/content",
        operationId: "downloadFile",
        summary: "Retrieve a file's content",
        description: "The bytes as uploaded, whatever the purpose. One `Range` of bytes may be asked for.",
        tag: "Files",
        role: "read",
        bodyLimit: NO_BODY,
        response: { mediaType: "application/octet-stream", description: "The bytes as uploaded." },
        errors: ["file_not_found", "file_content_not_found", "storage_unavailable"],
      },
      async ({ params, caller, request }) => {
        const { row, blobs } = await files.content(caller, params.file_id);
        return contentResponse(row, blobs, request.headers);
      },
    ),
  ];
}
