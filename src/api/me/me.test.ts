import { expect, test } from "bun:test";
import { KEYS, storeApp } from "../../app/testing/store-app.ts";

const bearer = (key: string) => ({ authorization: `Bearer ${key}` });

test("every key learns who it is", async () => {
  await using f = await storeApp();
  const store = (await f.call("POST", "/v1/vector_stores", {})).json.id as string;
  await f.addKey("sk-test-bound-0123456789", {
    id: "key_bound",
    name: "reader of one",
    role: "read",
    storeIds: [store],
    dialect: "fightclub",
    expiresAt: 1_800_003_600,
  });
  const bound = await f.call("GET", "/v1/me", undefined, bearer("sk-test-bound-0123456789"));
  expect(bound.json).toEqual({
    object: "me",
    key_id: "key_bound",
    name: "reader of one",
    role: "read",
    operator: false,
    tenant: { id: "ten_a", name: "ten_a" },
    vector_store_ids: [store],
    dialect: "fightclub",
    expires_at: 1_800_003_600,
    features: {
      version: expect.any(String),
      default_model: "words-64",
      max_upload_bytes: 1024 * 1024,
      public_url: null,
      console: true,
    },
  });
  const admin = await f.call("GET", "/v1/me", undefined, bearer(KEYS.admin));
  expect(admin.json).toMatchObject({ role: "admin", operator: true, vector_store_ids: null, dialect: null });
});

test("whoever has no key is refused", async () => {
  await using f = await storeApp();
  expect((await f.call("GET", "/v1/me", undefined, bearer("wrong"))).status).toBe(401);
});
