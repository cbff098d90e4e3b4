import { listPage, readCursor } from "../../http/openai.ts";
import { NO_BODY, SMALL_BODY } from "../../http/body-limit.ts";
import { operation } from "../../http/operation.ts";
import type { Operation } from "../../http/operation.ts";
import type { KeysService } from "./keys.ts";
import { ApiKey, ApiKeyList, CreateKeyBody, DeletedKey, ListKeysQuery, NewApiKey, UpdateKeyBody } from "./schema.ts";

const ONE = "/v1/admin/keys/{key_id}";

/** `/v1/admin/keys` */
export function keyOperations(keys: KeysService): Operation[] {
  const about = { tag: "Administration", role: "admin" } as const;
  return [
    operation(
      {
        ...about,
        method: "POST",
        path: "/v1/admin/keys",
        operationId: "createApiKey",
        summary: "Create an API key",
        description: "The answer holds the key, this once.",
        body: CreateKeyBody,
        bodyLimit: SMALL_BODY,
        response: NewApiKey,
        returns: "The key",
        errors: ["tenant_not_found", "vector_store_not_found", "invalid_value"],
        examples: { body: { name: "support bot", role: "read", vector_store_ids: ["vs_abc123"] } },
      },
      ({ caller, body }) => keys.create(caller, body),
    ),
    operation(
      {
        ...about,
        method: "GET",
        path: "/v1/admin/keys",
        bodyLimit: NO_BODY,
        operationId: "listApiKeys",
        summary: "List API keys",
        query: ListKeysQuery,
        response: ApiKeyList,
        returns: "A page of keys, without the keys themselves",
        errors: ["invalid_value", "tenant_not_found"],
      },
      async ({ caller, query, dialect }) => {
        const { data, hasMore } = await keys.list(caller, readCursor(query), query.tenant_id);
        return listPage(data, hasMore, dialect);
      },
    ),
    operation(
      {
        ...about,
        method: "GET",
        path: ONE,
        bodyLimit: NO_BODY,
        operationId: "getApiKey",
        summary: "Retrieve an API key",
        response: ApiKey,
        returns: "The key, without the key itself",
        errors: ["key_not_found"],
      },
      ({ caller, params }) => keys.get(caller, params.key_id),
    ),
    operation(
      {
        ...about,
        method: "POST",
        path: ONE,
        operationId: "modifyApiKey",
        summary: "Modify an API key",
        description: "Counts from the next request on.",
        body: UpdateKeyBody,
        bodyLimit: SMALL_BODY,
        response: ApiKey,
        returns: "The key",
        errors: ["key_not_found", "vector_store_not_found", "invalid_value"],
        examples: { body: { name: "support bot", quotas: { requests_per_minute: 60 } } },
        alsoPatch: true,
      },
      ({ caller, params, body }) => keys.update(caller, params.key_id, body),
    ),
    operation(
      {
        ...about,
        method: "DELETE",
        path: ONE,
        bodyLimit: NO_BODY,
        operationId: "deleteApiKey",
        summary: "Revoke an API key",
        description: "It is unknown from the next request on.",
        response: DeletedKey,
        returns: "That it is gone",
        errors: ["key_not_found"],
      },
      async ({ caller, params }) => {
        await keys.remove(caller, params.key_id);
        return { id: params.key_id, object: "api_key.deleted", deleted: true };
      },
    ),
  ];
}
