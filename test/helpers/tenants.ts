import { json } from "./api.ts";
import type { TestServer } from "./server.ts";

export interface TestKey {
  id: string;
  key: string;
}

/** A tenant with keys; everything of it made by the server's first administrator. */
export async function newTenant(server: TestServer, name: string, quotas: object = {}): Promise<string> {
  return (await json<{ id: string }>(server, "POST", "/v1/admin/tenants", { name, quotas })).id;
}

export async function newKey(server: TestServer, more: Record<string, unknown>): Promise<TestKey> {
  return await json<TestKey>(server, "POST", "/v1/admin/keys", { name: "test", ...more });
}

/** The same server, asked with another key. */
export function as(server: TestServer, key: string): TestServer {
  return {
    ...server,
    key,
    fetch: (path, init = {}) => {
      const headers = new Headers(init.headers);
      headers.set("authorization", `Bearer ${key}`);
      return server.fetch(path, { ...init, headers });
    },
  };
}
