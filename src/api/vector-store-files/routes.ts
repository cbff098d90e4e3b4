import { Type } from "@sinclair/typebox";
import type { PollDeps } from "../following/long-poll.ts";
import { hintWhenToAsk, pollState } from "../following/long-poll.ts";
import { listPage, nameText, oneOf, readCursor } from "../../http/openai.ts";
import type { Operation } from "../../http/operation.ts";
import { MEDIUM_BODY, NO_BODY } from "../../http/body-limit.ts";
import { operation } from "../../http/operation.ts";
import { presenterFor } from "../presenters/choose.ts";
import { askingOf } from "../asking.ts";
import { presentWithId } from "../presenters/presenter.ts";
import {
  AttachFileBody,
  FILE_SORTS,
  FileContentPage,
  FileListQuery,
  UpdateFileBody,
  VectorStoreFile,
  VectorStoreFileDeleted,
  VectorStoreFileList,
} from "../attaching/schema.ts";
import type { StoreFilesService } from "./service.ts";

const FILES = "/v1/vector_stores/{vector_store_id}/files";
const FILE = "/v1/vector_stores/{vector_store_id}/files/{file_id}";

const StoreFileListQuery = Type.Object({
  ...FileListQuery.properties,
  filename: Type.Optional(nameText("Only files whose name contains this, whatever the case.")),
  sort: Type.Optional(
    oneOf(FILE_SORTS, { default: "created_at", description: "What `order` goes by; names are compared without case." }),
  ),
});

export function storeFileOperations(files: StoreFilesService, poll: PollDeps): Operation[] {
  return [
    operation(
      {
        method: "POST",
        path: FILES,
        operationId: "createVectorStoreFile",
        summary: "Attach a file to a vector store",
        description: "Attaching again is harmless; other attributes are taken over, another strategy indexes it anew.",
        tag: "Vector stores",
        role: "write",
        body: AttachFileBody,
        bodyLimit: MEDIUM_BODY,
        response: VectorStoreFile,
        returns: "The file in the store, usually in progress",
        errors: [
          "vector_store_not_found",
          "vector_store_expired",
          "vector_store_suspended",
          "file_not_found",
          "file_limit_reached",
        ],
        examples: { body: { file_id: "file-abc123", attributes: { category: "support" } } },
      },
      async (call) => {
        const presenter = presenterFor(call.dialect);
        const file = await files.attach(askingOf(call), call.body);
        await hintWhenToAsk(call, poll, file.status);
        return presenter.storeFile(file);
      },
    ),
    operation(
      {
        method: "GET",
        path: FILES,
        operationId: "listVectorStoreFiles",
        summary: "List the files of a vector store",
        tag: "Vector stores",
        role: "read",
        bodyLimit: NO_BODY,
        query: StoreFileListQuery,
        response: VectorStoreFileList,
        returns: "A page of files",
        errors: ["vector_store_not_found", "invalid_value"],
      },
      async (call) => {
        const { storeFile } = presenterFor(call.dialect);
        const { filter = null, filename = null, sort = "created_at" } = call.query;
        const page = await files.list(askingOf(call), readCursor(call.query), { status: filter, filename, sort });
        return listPage(page.data.map(presentWithId(storeFile)), page.hasMore, call.dialect);
      },
    ),
    operation(
      {
        method: "GET",
        path: FILE,
        operationId: "getVectorStoreFile",
        summary: "Retrieve a file of a vector store",
        tag: "Vector stores",
        role: "read",
        bodyLimit: NO_BODY,
        response: VectorStoreFile,
        returns: "The file in the store",
        errors: ["vector_store_not_found", "vector_store_file_not_found"],
      },
      async (call) => {
        const { storeFile } = presenterFor(call.dialect);
        const asking = askingOf(call);
        const read = () => files.get(asking, call.params.file_id);
        return storeFile(await pollState(call, poll, asking.storeId, read, (file) => file.status));
      },
    ),
    operation(
      {
        method: "POST",
        path: FILE,
        operationId: "updateVectorStoreFileAttributes",
        summary: "Replace the attributes of a file in a vector store",
        tag: "Vector stores",
        role: "write",
        body: UpdateFileBody,
        bodyLimit: MEDIUM_BODY,
        response: VectorStoreFile,
        returns: "The file in the store",
        errors: ["vector_store_not_found", "vector_store_file_not_found", "vector_store_suspended"],
        examples: { body: { attributes: { category: "support", year: 2026 } } },
        alsoPatch: true,
      },
      async (call) => {
        const { storeFile } = presenterFor(call.dialect);
        return storeFile(await files.update(askingOf(call), call.params.file_id, call.body));
      },
    ),
    operation(
      {
        method: "DELETE",
        path: FILE,
        operationId: "deleteVectorStoreFile",
        summary: "Detach a file from a vector store",
        description: "The file itself stays.",
        tag: "Vector stores",
        role: "write",
        bodyLimit: NO_BODY,
        response: VectorStoreFileDeleted,
        returns: "That it is detached",
        errors: ["vector_store_not_found", "vector_store_file_not_found"],
      },
      (call) => files.detach(askingOf(call), call.params.file_id),
    ),
    operation(
      {
        method: "GET",
        path: `${FILE}/content`,
        operationId: "retrieveVectorStoreFileContent",
        summary: "Retrieve the text that was indexed of a file",
        tag: "Vector stores",
        role: "read",
        bodyLimit: NO_BODY,
        response: FileContentPage,
        returns: "The text, one page",
        errors: ["vector_store_not_found", "vector_store_file_not_found"],
      },
      async (call) => {
        const { content } = presenterFor(call.dialect);
        return content(await files.content(askingOf(call), call.params.file_id));
      },
    ),
    operation(
      {
        method: "POST",
        path: `${FILE}/cancel`,
        operationId: "cancelVectorStoreFile",
        summary: "Cancel the indexing of a file",
        tag: "Lectern",
        role: "write",
        bodyLimit: NO_BODY,
        response: VectorStoreFile,
        returns: "The cancelled file",
        errors: ["vector_store_not_found", "vector_store_file_not_found", "file_not_cancellable"],
      },
      async (call) => {
        const { storeFile } = presenterFor(call.dialect);
        return storeFile(await files.cancel(askingOf(call), call.params.file_id));
      },
    ),
    operation(
      {
        method: "POST",
        path: `${FILE}/retry`,
        operationId: "retryVectorStoreFile",
        summary: "Index a failed or cancelled file again",
        tag: "Lectern",
        role: "write",
        bodyLimit: NO_BODY,
        response: VectorStoreFile,
        returns: "The file, in progress again",
        errors: ["vector_store_not_found", "vector_store_file_not_found", "file_not_retryable"],
      },
      async (call) => {
        const { storeFile } = presenterFor(call.dialect);
        const file = await files.retry(askingOf(call), call.params.file_id);
        await hintWhenToAsk(call, poll, file.status);
        return storeFile(file);
      },
    ),
  ];
}
