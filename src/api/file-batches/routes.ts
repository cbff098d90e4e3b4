import type { PollDeps } from "../following/long-poll.ts";
import { hintWhenToAsk, pollState } from "../following/long-poll.ts";
import { listPage, readCursor } from "../../http/openai.ts";
import type { Operation } from "../../http/operation.ts";
import { jsonLimit, LARGE_BODY, NO_BODY } from "../../http/body-limit.ts";
import type { JsonLimit } from "../../http/body-limit.ts";
import { operation } from "../../http/operation.ts";
import { presenterFor } from "../presenters/choose.ts";
import { askingOf } from "../asking.ts";
import { FileListQuery, VectorStoreFileList } from "../attaching/schema.ts";
import { presentWithId } from "../presenters/presenter.ts";
import { CreateBatchBody, FileBatch } from "./schema.ts";
import type { BatchesService } from "./service.ts";

const BATCHES = "/v1/vector_stores/{vector_store_id}/file_batches";
const BATCH = "/v1/vector_stores/{vector_store_id}/file_batches/{batch_id}";

const FIGHTCLUB = {
  file_ids: { array_above_max_length: "too_many_files", default: "invalid_file_ids" },
  files: { array_above_max_length: "too_many_files", default: "invalid_file_ids" },
} as const;

/** As many files as the operator allows, each with some attributes. */
function batchLimit(maxFiles: number): JsonLimit {
  const { bytes, nodes } = LARGE_BODY;
  return jsonLimit(Math.max(bytes, maxFiles * 128), Math.max(nodes, maxFiles * 16));
}

/** `maxFiles` of one batch. */
export function batchOperations(batches: BatchesService, poll: PollDeps, maxFiles: number): Operation[] {
  return [
    operation(
      {
        method: "POST",
        path: BATCHES,
        operationId: "createVectorStoreFileBatch",
        summary: "Attach many files at once",
        description: "Either `file_ids` or `files`. All files are attached or none.",
        tag: "Vector stores",
        role: "write",
        body: CreateBatchBody,
        bodyLimit: batchLimit(maxFiles),
        response: FileBatch,
        returns: "The batch",
        errors: [
          "vector_store_not_found",
          "vector_store_expired",
          "vector_store_suspended",
          "file_not_found",
          "too_many_files",
          "invalid_file_ids",
          "file_limit_reached",
        ],
        examples: { body: { file_ids: ["file-abc123", "file-abc456"], attributes: { category: "support" } } },
        fightclub: FIGHTCLUB,
      },
      async (call) => {
        const presenter = presenterFor(call.dialect);
        const { batch, cancelling } = await batches.create(askingOf(call), call.body);
        await hintWhenToAsk(call, poll, batch.status);
        return presenter.batch(batch, cancelling);
      },
    ),
    operation(
      {
        method: "GET",
        path: BATCH,
        operationId: "getVectorStoreFileBatch",
        summary: "Retrieve a file batch",
        tag: "Vector stores",
        role: "read",
        bodyLimit: NO_BODY,
        response: FileBatch,
        returns: "The batch",
        errors: ["vector_store_not_found", "file_batch_not_found"],
      },
      async (call) => {
        const presenter = presenterFor(call.dialect);
        const { vector_store_id: storeId, batch_id: batchId } = call.params;
        const asking = askingOf(call);
        const read = () => batches.get(asking, batchId);
        const { batch, cancelling } = await pollState(call, poll, storeId, read, (shown) => shown.batch.status);
        return presenter.batch(batch, cancelling);
      },
    ),
    operation(
      {
        method: "POST",
        path: `${BATCH}/cancel`,
        operationId: "cancelVectorStoreFileBatch",
        summary: "Cancel a file batch",
        description: "Files of it that are still in progress are cancelled.",
        tag: "Vector stores",
        role: "write",
        bodyLimit: NO_BODY,
        response: FileBatch,
        returns: "The batch",
        errors: ["vector_store_not_found", "file_batch_not_found"],
      },
      async (call) => {
        const presenter = presenterFor(call.dialect);
        const { batch, cancelling } = await batches.cancel(askingOf(call), call.params.batch_id);
        await hintWhenToAsk(call, poll, batch.status);
        return presenter.batch(batch, cancelling);
      },
    ),
    operation(
      {
        method: "GET",
        path: `${BATCH}/files`,
        operationId: "listFilesInVectorStoreBatch",
        summary: "List the files of a batch",
        tag: "Vector stores",
        role: "read",
        bodyLimit: NO_BODY,
        query: FileListQuery,
        response: VectorStoreFileList,
        returns: "A page of files",
        errors: ["vector_store_not_found", "file_batch_not_found", "invalid_value"],
      },
      async (call) => {
        const { storeFile } = presenterFor(call.dialect);
        const list = { batchId: call.params.batch_id, filter: call.query.filter ?? null };
        const page = await batches.listFiles(askingOf(call), list, readCursor(call.query));
        return listPage(page.data.map(presentWithId(storeFile)), page.hasMore, call.dialect);
      },
    ),
  ];
}
