import { Type } from "@sinclair/typebox";
import { cursorQuery, listPage, readCursor } from "../../http/openai.ts";
import { NO_BODY, SMALL_BODY } from "../../http/body-limit.ts";
import { operation } from "../../http/operation.ts";
import type { Operation } from "../../http/operation.ts";
import { CreateTenantBody, DeletedTenant, Tenant, TenantList, UpdateTenantBody } from "./schema.ts";
import type { TenantsService } from "./tenants.ts";

const ONE = "/v1/admin/tenants/{tenant_id}";

/** `/v1/admin/tenants` */
export function tenantOperations(tenants: TenantsService): Operation[] {
  const about = { tag: "Administration", role: "admin" } as const;
  return [
    operation(
      {
        ...about,
        method: "POST",
        path: "/v1/admin/tenants",
        operationId: "createTenant",
        summary: "Create a tenant",
        description: "It has no key yet: create one with `tenant_id`.",
        operatorOnly: true,
        body: CreateTenantBody,
        bodyLimit: SMALL_BODY,
        response: Tenant,
        returns: "The tenant",
        examples: { body: { name: "ACME", quotas: { max_vector_stores: 50, requests_per_minute: 600 } } },
      },
      ({ body }) => tenants.create(body),
    ),
    operation(
      {
        ...about,
        method: "GET",
        path: "/v1/admin/tenants",
        bodyLimit: NO_BODY,
        operationId: "listTenants",
        summary: "List tenants",
        description: "An administrator of another tenant than the first sees its own only.",
        query: Type.Object(cursorQuery()),
        response: TenantList,
        returns: "A page of tenants",
        errors: ["invalid_value"],
      },
      async ({ caller, query, dialect }) => {
        const { data, hasMore } = await tenants.list(caller, readCursor(query));
        return listPage(data, hasMore, dialect);
      },
    ),
    operation(
      {
        ...about,
        method: "GET",
        path: ONE,
        bodyLimit: NO_BODY,
        operationId: "getTenant",
        summary: "Retrieve a tenant",
        response: Tenant,
        returns: "The tenant",
        errors: ["tenant_not_found"],
      },
      ({ caller, params }) => tenants.get(caller, params.tenant_id),
    ),
    operation(
      {
        ...about,
        method: "POST",
        path: ONE,
        operationId: "modifyTenant",
        summary: "Modify, suspend or resume a tenant",
        operatorOnly: true,
        body: UpdateTenantBody,
        bodyLimit: SMALL_BODY,
        response: Tenant,
        returns: "The tenant",
        errors: ["tenant_not_found", "invalid_value"],
        examples: { body: { status: "suspended", quotas: { max_bytes: 1_000_000_000 } } },
        alsoPatch: true,
      },
      ({ caller, params, body }) => tenants.update(caller, params.tenant_id, body),
    ),
    operation(
      {
        ...about,
        method: "DELETE",
        path: ONE,
        operationId: "deleteTenant",
        summary: "Delete a tenant with everything it owns",
        operatorOnly: true,
        bodyLimit: NO_BODY,
        response: DeletedTenant,
        returns: "That it is gone",
        errors: ["tenant_not_found"],
      },
      async ({ caller, params, keepOpen }) => {
        keepOpen();
        await tenants.remove(caller, params.tenant_id);
        return { id: params.tenant_id, object: "tenant.deleted", deleted: true };
      },
    ),
  ];
}
