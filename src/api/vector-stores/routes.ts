import { Type } from "@sinclair/typebox";
import type { PollDeps } from "../following/long-poll.ts";
import { hintWhenToAsk, pollState } from "../following/long-poll.ts";
import { cursorQuery, listPage, listSchema, nameText, readCursor } from "../../http/openai.ts";
import type { Operation } from "../../http/operation.ts";
import { MEDIUM_BODY, NO_BODY } from "../../http/body-limit.ts";
import { operation } from "../../http/operation.ts";
import { presenterFor } from "../presenters/choose.ts";
import { presentWithId } from "../presenters/presenter.ts";
import { askingOf } from "../asking.ts";
import { CreateStoreBody, UpdateStoreBody, VectorStore, VectorStoreDeleted } from "../store-schema.ts";
import type { StoresService } from "./service.ts";

const PATH = "/v1/vector_stores/{vector_store_id}";
const VectorStoreList = listSchema(VectorStore, "VectorStoreList");

/** Names of validation errors in the `fightclub` dialect. */
const FIGHTCLUB = {
  name: "invalid_name",
  embedding_model: "invalid_embedding_model",
  dimensions: "invalid_dimensions",
  metadata: { unknown_parameter: "unknown_parameter", default: "invalid_metadata" },
  file_ids: { array_above_max_length: "too_many_files", default: "invalid_file_ids" },
} as const;

export function storeOperations(stores: StoresService, poll: PollDeps): Operation[] {
  return [
    operation(
      {
        method: "POST",
        path: "/v1/vector_stores",
        operationId: "createVectorStore",
        summary: "Create a vector store",
        description:
          "Every field is optional. With `file_ids`, the files are attached in the same step: all of them or none.",
        tag: "Vector stores",
        role: "write",
        body: CreateStoreBody,
        bodyLimit: MEDIUM_BODY,
        foreignKeys: ["embedding_dimension", "provider_id", "provider_vector_store_id", "extra_body"],
        response: VectorStore,
        returns: "The vector store",
        errors: [
          "invalid_name",
          "name_too_long",
          "metadata_too_large",
          "invalid_embedding_model",
          "invalid_dimensions",
          "file_not_found",
          "vector_store_limit_reached",
          "file_limit_reached",
          "embedding_model_unavailable",
        ],
        examples: { body: { name: "Support FAQ", metadata: { owner: "support" } } },
        fightclub: FIGHTCLUB,
      },
      async (call) => {
        const presenter = presenterFor(call.dialect);
        const store = await stores.create(call.caller, call.body, presenter.rules);
        await hintWhenToAsk(call, poll, store.status);
        return presenter.store(store);
      },
    ),
    operation(
      {
        method: "GET",
        path: "/v1/vector_stores",
        operationId: "listVectorStores",
        summary: "List vector stores",
        tag: "Vector stores",
        role: "read",
        bodyLimit: NO_BODY,
        query: Type.Object({
          ...cursorQuery(),
          name: Type.Optional(nameText("Only stores whose name contains this, whatever the case.")),
        }),
        response: VectorStoreList,
        returns: "A page of vector stores",
        errors: ["invalid_value"],
      },
      async ({ caller, query, dialect }) => {
        const { data, hasMore } = await stores.list(caller, readCursor(query), query.name ?? null);
        return listPage(data.map(presentWithId(presenterFor(dialect).store)), hasMore, dialect);
      },
    ),
    operation(
      {
        method: "GET",
        path: PATH,
        operationId: "getVectorStore",
        summary: "Retrieve a vector store",
        tag: "Vector stores",
        role: "read",
        bodyLimit: NO_BODY,
        response: VectorStore,
        returns: "The vector store",
        errors: ["vector_store_not_found"],
      },
      async (call) => {
        const presenter = presenterFor(call.dialect);
        const asking = askingOf(call);
        const read = () => stores.get(asking);
        return presenter.store(await pollState(call, poll, asking.storeId, read, (store) => store.status));
      },
    ),
    operation(
      {
        method: "POST",
        path: PATH,
        operationId: "modifyVectorStore",
        summary: "Modify a vector store",
        tag: "Vector stores",
        role: "write",
        body: UpdateStoreBody,
        bodyLimit: MEDIUM_BODY,
        response: VectorStore,
        returns: "The vector store",
        errors: ["vector_store_not_found", "name_too_long", "metadata_too_large", "vector_store_suspended"],
        examples: { body: { name: "Support FAQ v2" } },
        alsoPatch: true,
        fightclub: FIGHTCLUB,
      },
      async (call) => presenterFor(call.dialect).store(await stores.update(askingOf(call), call.body)),
    ),
    operation(
      {
        method: "DELETE",
        path: PATH,
        operationId: "deleteVectorStore",
        summary: "Delete a vector store",
        description: "Its files are not deleted.",
        tag: "Vector stores",
        role: "write",
        bodyLimit: NO_BODY,
        response: VectorStoreDeleted,
        returns: "That it is gone",
        errors: ["vector_store_not_found"],
      },
      (call) => stores.remove(askingOf(call)),
    ),
  ];
}
