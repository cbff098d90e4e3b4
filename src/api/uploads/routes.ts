import { AppError } from "../../errors.ts";
import type { FileRow } from "../../storage/files.ts";
import type { UploadRow } from "../../storage/uploads.ts";
import type { Dialect } from "../../http/dialect.ts";
import { presentFile } from "../stored-files/present.ts";
import type { FileStoring } from "../stored-files/storing.ts";
import { displayName, safeMime } from "../../http/filename.ts";
import { presenterFor } from "../presenters/choose.ts";
import { readMultipart } from "../../http/multipart.ts";
import { LARGE_BODY, NO_BODY, formLimit } from "../../http/body-limit.ts";
import { operation } from "../../http/operation.ts";
import type { Operation } from "../../http/operation.ts";
import { CompleteUpload, CreateUpload, MAX_PART_BYTES, PartForm, Upload, UploadPart } from "./schema.ts";
import type { UploadsService } from "./service.ts";

const PART = formLimit(MAX_PART_BYTES);

/** `/v1/uploads` */
export function uploadOperations(uploads: UploadsService, files: FileStoring): Operation[] {
  return [
    operation(
      {
        method: "POST",
        path: "/v1/uploads",
        operationId: "createUpload",
        summary: "Begin an upload in parts",
        description:
          "For files of up to 8 GB. Add parts of up to 64 MB each, in any order and in parallel, and complete the upload within an hour.",
        tag: "Uploads",
        role: "write",
        body: CreateUpload,
        bodyLimit: LARGE_BODY,
        response: Upload,
        returns: "The pending upload.",
        errors: ["missing_required_parameter", "invalid_value", "integer_above_max_value"],
        examples: { body: { filename: "handbook.txt", purpose: "assistants", bytes: 11, mime_type: "text/plain" } },
      },
      async ({ body, caller, dialect }) => {
        const { filename, purpose, bytes, mime_type: mime, expires_after } = body;
        const upload = await uploads.create(caller, {
          filename: displayName(filename, presenterFor(dialect).rules),
          purpose,
          bytes,
          mime: safeMime(mime) ?? "application/octet-stream",
          fileExpiresAfterSeconds: expires_after?.seconds ?? null,
        });
        return presentUpload(upload, null, dialect);
      },
    ),
    operation(
      {
        method: "POST",
        path: "/v1/uploads/{upload_id}/parts",
        operationId: "addUploadPart",
        summary: "Add a part",
        tag: "Uploads",
        role: "write",
        multipart: PartForm,
        bodyLimit: PART,
        response: UploadPart,
        returns: "The part; its id goes into `part_ids` at completion.",
        errors: [
          "upload_not_found",
          "upload_not_pending",
          "invalid_multipart",
          "payload_too_large",
          "storage_limit_reached",
          "insufficient_storage",
          "storage_unavailable",
        ],
      },
      async ({ params, request, caller, keepOpen }) => {
        await uploads.findPending(caller, params.upload_id);
        keepOpen();
        const bytes = Math.min(Number(request.headers.get("content-length") ?? "0"), MAX_PART_BYTES);
        const incoming = await files.begin({ owner: caller, bytes, areNew: true });
        try {
          const form = await readMultipart(request, {
            fileField: "data",
            limit: PART,
            sink: (chunk) => incoming.write(chunk),
            unwanted: incoming.signal,
          });
          const stray = form.fields[0]?.[0];
          if (stray !== undefined)
            throw new AppError("unknown_parameter", `Unknown parameter: '${stray.slice(0, 64)}'.`, {
              param: stray.slice(0, 64),
            });
          if (form.file === null)
            throw new AppError("missing_required_parameter", "Missing required parameter: 'data'.", { param: "data" });
          const part = await uploads.addPart(caller, params.upload_id, incoming);
          return { id: part.id, object: "upload.part", created_at: part.created_at, upload_id: part.upload_id };
        } finally {
          await incoming.discard();
        }
      },
    ),
    operation(
      {
        method: "POST",
        path: "/v1/uploads/{upload_id}/complete",
        operationId: "completeUpload",
        summary: "Complete an upload",
        description:
          "Puts the parts together in the order of `part_ids`. Their sizes must add up to the announced size, and the MD5 must match if given.",
        tag: "Uploads",
        role: "write",
        body: CompleteUpload,
        bodyLimit: LARGE_BODY,
        response: Upload,
        returns: "The completed upload with its file.",
        errors: [
          "upload_not_found",
          "upload_not_pending",
          "missing_required_parameter",
          "invalid_value",
          "insufficient_storage",
          "storage_unavailable",
        ],
        examples: { body: { part_ids: ["part_abc123"] } },
      },
      async ({ params, body, caller, dialect, keepOpen }) => {
        keepOpen();
        const { upload, file } = await uploads.complete(caller, params.upload_id, {
          partIds: body.part_ids,
          md5: body.md5 ?? null,
        });
        return presentUpload(upload, file, dialect);
      },
    ),
    operation(
      {
        method: "POST",
        path: "/v1/uploads/{upload_id}/cancel",
        operationId: "cancelUpload",
        summary: "Cancel an upload",
        description: "No part may be added after it; the parts are deleted. Needs no body.",
        whileSuspended: true,
        tag: "Uploads",
        role: "write",
        bodyLimit: NO_BODY,
        response: Upload,
        returns: "The cancelled upload.",
        errors: ["upload_not_found", "upload_not_pending"],
      },
      async ({ params, caller, dialect }) =>
        presentUpload(await uploads.cancel(caller, params.upload_id), null, dialect),
    ),
  ];
}

function presentUpload(upload: UploadRow, file: FileRow | null, dialect: Dialect) {
  return {
    id: upload.id,
    object: "upload",
    bytes: upload.bytes,
    created_at: upload.created_at,
    filename: upload.filename,
    purpose: upload.purpose,
    status: upload.status,
    expires_at: upload.expires_at,
    file: file === null ? null : presentFile(file, dialect),
  };
}
