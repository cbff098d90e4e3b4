import { Type } from "@sinclair/typebox";
import { cursorQuery, listPage, listSchema, readCursor } from "../../http/openai.ts";
import { NO_BODY, SMALL_BODY } from "../../http/body-limit.ts";
import { operation } from "../../http/operation.ts";
import type { Call, Operation, OperationSpec } from "../../http/operation.ts";
import { type Asking, askingOf } from "../asking.ts";
import { EstimateBody, MigrateBody, Migration, MigrationChanges, MigrationEstimate } from "./schema.ts";
import type { MigrationsService } from "./service.ts";

const ONE = "/v1/vector_stores/{vector_store_id}/migrations/{migration_id}";

const MODEL_IN_FIGHTCLUB = {
  embedding_model: { missing_required_parameter: "missing_embedding_model", default: "invalid_embedding_model" },
} as const;

/** `…/migrate`, `…/migrate/estimate`, `…/migrations`, `…/migrations/{id}` and what can be asked of one. */
export function migrationOperations(migrations: MigrationsService): Operation[] {
  const about = (spec: Pick<OperationSpec, "summary" | "description" | "operationId">) =>
    ({ ...spec, tag: "Lectern", response: Migration, returns: "The migration" }) as const;
  const onOne =
    (act: (asking: Asking, id: string) => Promise<Migration>) =>
    (call: Call<{ vector_store_id: string; migration_id: string }>) =>
      act(askingOf(call), call.params.migration_id);
  return [
    operation(
      {
        ...about({
          operationId: "migrateVectorStore",
          summary: "Change the embedding model of a store",
          description:
            "Builds a second index beside the live one, from what is stored, while searches and uploads go on; compares the two; then switches in one step. The old index is kept for a rollback.",
        }),
        method: "POST",
        path: "/v1/vector_stores/{vector_store_id}/migrate",
        role: "write",
        body: MigrateBody,
        bodyLimit: SMALL_BODY,
        errors: [
          "invalid_embedding_model",
          "missing_embedding_model",
          "invalid_dimensions",
          "embedding_model_unavailable",
          "migration_in_progress",
          "insufficient_storage",
        ],
        examples: { body: { embedding_model: "text-embedding-3-large", dry_run: true } },
        fightclub: MODEL_IN_FIGHTCLUB,
      },
      (call) => migrations.start(askingOf(call), call.body),
    ),
    operation(
      {
        method: "POST",
        path: "/v1/vector_stores/{vector_store_id}/migrate/estimate",
        operationId: "estimateMigration",
        summary: "What a change of model would cost",
        description:
          "Chunks, tokens, memory, time and price of the same body's `migrate`, from a few chunks that are embedded for it. Nothing is built.",
        tag: "Lectern",
        role: "write",
        body: EstimateBody,
        bodyLimit: SMALL_BODY,
        response: MigrationEstimate,
        returns: "The estimate",
        errors: [
          "invalid_embedding_model",
          "missing_embedding_model",
          "invalid_dimensions",
          "embedding_model_unavailable",
        ],
        examples: { body: { embedding_model: "text-embedding-3-large" } },
        fightclub: MODEL_IN_FIGHTCLUB,
      },
      (call) => migrations.estimate(askingOf(call), call.body, call.signal),
    ),
    operation(
      {
        method: "GET",
        path: `${ONE}/changes`,
        operationId: "listMigrationChanges",
        summary: "The queries that a migration changes most",
        description:
          "Up to twenty queries of its report, the most changed first, each with what the vectors of the old and of the new index find. Queries and passages that were deleted since are left out.",
        tag: "Lectern",
        role: "read",
        bodyLimit: NO_BODY,
        response: MigrationChanges,
        returns: "The changes",
        errors: ["migration_not_found"],
      },
      async (call) => ({
        object: "list" as const,
        data: await migrations.changes(askingOf(call), call.params.migration_id),
      }),
    ),
    operation(
      {
        method: "GET",
        path: "/v1/vector_stores/{vector_store_id}/migrations",
        operationId: "listMigrations",
        summary: "List a store's migrations",
        tag: "Lectern",
        role: "read",
        bodyLimit: NO_BODY,
        query: Type.Object({ ...cursorQuery() }),
        response: listSchema(Migration, "MigrationList"),
        returns: "A page of migrations",
        errors: ["vector_store_not_found", "invalid_value"],
      },
      async (call) => {
        const page = await migrations.list(askingOf(call), readCursor(call.query));
        return listPage(page.data, page.hasMore, call.dialect);
      },
    ),
    operation(
      {
        ...about({ operationId: "getMigration", summary: "Get a migration" }),
        method: "GET",
        path: ONE,
        role: "read",
        bodyLimit: NO_BODY,
        errors: ["migration_not_found"],
      },
      onOne((asking, id) => migrations.get(asking, id)),
    ),
    operation(
      {
        ...about({
          operationId: "cancelMigration",
          summary: "Cancel a migration before its switch",
          description: "Nothing is left of it.",
        }),
        method: "POST",
        path: `${ONE}/cancel`,
        role: "write",
        bodyLimit: NO_BODY,
        errors: ["migration_not_found", "migration_not_cancellable"],
      },
      onOne((asking, id) => migrations.cancel(asking, id)),
    ),
    operation(
      {
        ...about({
          operationId: "promoteMigration",
          summary: "Switch to the new index of a dry run, or past a missed gate",
        }),
        method: "POST",
        path: `${ONE}/promote`,
        role: "write",
        bodyLimit: NO_BODY,
        errors: ["migration_not_found", "migration_not_promotable"],
      },
      onOne((asking, id) => migrations.promote(asking, id)),
    ),
    operation(
      {
        ...about({
          operationId: "rollbackMigration",
          summary: "Go back to the index before a migration",
          description: "Instant; files attached since are in the old index too.",
        }),
        method: "POST",
        path: `${ONE}/rollback`,
        role: "write",
        bodyLimit: NO_BODY,
        errors: ["migration_not_found", "migration_not_rollbackable", "migration_in_progress"],
      },
      onOne((asking, id) => migrations.rollback(asking, id)),
    ),
  ];
}
