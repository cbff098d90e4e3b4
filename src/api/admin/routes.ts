import { Type } from "@sinclair/typebox";
import { cursorQuery, listPage, readCursor } from "../../http/openai.ts";
import { NO_BODY } from "../../http/body-limit.ts";
import { operation } from "../../http/operation.ts";
import type { Operation, OperationSpec } from "../../http/operation.ts";
import { presenterFor } from "../presenters/choose.ts";
import { VectorStore } from "../store-schema.ts";
import type { DeletionsService } from "./deletions.ts";
import { keyOperations } from "./key-routes.ts";
import type { KeysService } from "./keys.ts";
import { Deletion, DeletionList, Reloaded, ServerStatus } from "./schema.ts";
import type { SuspensionService } from "./stores.ts";
import { tenantOperations } from "./tenant-routes.ts";
import type { TenantsService } from "./tenants.ts";

export interface AdminDeps {
  tenants: TenantsService;
  keys: KeysService;
  deletions: DeletionsService;
  suspension: SuspensionService;
  status: () => ServerStatus | Promise<ServerStatus>;
  /** @throws AppError `invalid_value` for settings that cannot be used; then nothing has changed. */
  reload: () => { applied: string[]; restartNeeded: string[] };
}

/** `/v1/admin/…` */
export function adminOperations(deps: AdminDeps): Operation[] {
  return [
    ...tenantOperations(deps.tenants),
    ...keyOperations(deps.keys),
    ...suspensionOperations(deps.suspension),
    ...deletionOperations(deps.deletions),
    ...serverOperations(deps),
  ];
}

function suspensionOperations(suspension: SuspensionService): Operation[] {
  const spec = (verb: string, summary: string) =>
    ({
      method: "POST",
      path: `/v1/admin/vector_stores/{vector_store_id}/${verb}`,
      operationId: `${verb}VectorStore`,
      summary,
      tag: "Administration",
      role: "admin",
      operatorOnly: true,
      bodyLimit: NO_BODY,
      response: VectorStore,
      returns: "The vector store",
      errors: ["vector_store_not_found"],
    }) satisfies OperationSpec;
  const idOf = (params: unknown) => (params as { vector_store_id: string }).vector_store_id;
  return [
    operation(
      {
        ...spec("suspend", "Suspend a vector store"),
        description: "It keeps its data and answers 402 until it is resumed. Needs no body.",
      },
      async ({ params, dialect }) => presenterFor(dialect).store(await suspension.suspend(idOf(params))),
    ),
    operation(
      { ...spec("resume", "Resume a suspended vector store"), description: "Needs no body." },
      async ({ params, dialect }) => presenterFor(dialect).store(await suspension.resume(idOf(params))),
    ),
  ];
}

function deletionOperations(deletions: DeletionsService): Operation[] {
  const about = { tag: "Administration", role: "admin" } as const;
  return [
    operation(
      {
        ...about,
        method: "GET",
        path: "/v1/admin/deletions",
        bodyLimit: NO_BODY,
        operationId: "listDeletions",
        summary: "List deletions",
        description: "Deleted files and vector stores, with what went with them.",
        query: Type.Object(cursorQuery()),
        response: DeletionList,
        returns: "A page of deletions",
        errors: ["invalid_value"],
      },
      async ({ caller, query, dialect }) => {
        const { data, hasMore } = await deletions.list(caller, readCursor(query));
        return listPage(data, hasMore, dialect);
      },
    ),
    operation(
      {
        ...about,
        method: "GET",
        path: "/v1/admin/deletions/{deletion_id}",
        bodyLimit: NO_BODY,
        operationId: "getDeletion",
        summary: "Retrieve a deletion",
        response: Deletion,
        returns: "The deletion",
        errors: ["deletion_not_found"],
      },
      ({ caller, params }) => deletions.get(caller, params.deletion_id),
    ),
    operation(
      {
        ...about,
        method: "POST",
        path: "/v1/admin/deletions/{deletion_id}/verify",
        bodyLimit: NO_BODY,
        operationId: "verifyDeletion",
        summary: "Check that nothing is left",
        description:
          "Looks in the tables, among the stored bytes, in the cache of parsed documents and in the indexes in memory, over PostgreSQL in those of every server. Needs no body.",
        response: Deletion,
        returns: "The deletion, with what the check found in `remaining`",
        errors: ["deletion_not_found"],
        whileSuspended: true,
      },
      ({ caller, params }) => deletions.verify(caller, params.deletion_id),
    ),
  ];
}

function serverOperations({ status, reload }: AdminDeps): Operation[] {
  const about = { tag: "Administration", role: "admin", operatorOnly: true } as const;
  return [
    operation(
      {
        ...about,
        method: "GET",
        path: "/v1/admin/status",
        bodyLimit: NO_BODY,
        operationId: "getServerStatus",
        summary: "What the server is doing",
        response: ServerStatus,
        returns: "Lanes, queues, indexes, models, disk",
      },
      () => status(),
    ),
    operation(
      {
        ...about,
        method: "POST",
        path: "/v1/admin/reload",
        bodyLimit: NO_BODY,
        operationId: "reloadSettings",
        summary: "Read the settings again",
        description: "As the signal SIGHUP does. Needs no body.",
        response: Reloaded,
        returns: "What changed",
        errors: ["invalid_value"],
      },
      () => {
        const { applied, restartNeeded } = reload();
        return { object: "reload", applied, restart_needed: restartNeeded };
      },
    ),
  ];
}
