/** What an administrator of a tenant may change, and what a suspended tenant may still do. */
import { describe, expect, test } from "bun:test";
import { KEYS, storeApp } from "../../app/testing/store-app.ts";
import type { Answer, StoreApp } from "../../app/testing/store-app.ts";

const OPERATOR = { authorization: `Bearer ${KEYS.admin}` };
const OTHER = { authorization: `Bearer ${KEYS.other}` };
const OWN = "sk-test-own-admin-0123456789";
const ownAdmin = { authorization: `Bearer ${OWN}` };
const LATER = 1_800_100_000;

async function withAdmin(): Promise<StoreApp> {
  const f = await storeApp();
  await f.addKey(OWN, { id: "key_own", tenantId: "ten_b", role: "admin" });
  return f;
}
const codeOf = ({ status, json }: Answer) => [status, json.error?.code, json.error?.param];

describe("what an operator limited on a key of a tenant", () => {
  const LIMITS = { quotas: { max_bytes: 1000, requests_per_minute: 60 }, expires_at: LATER };
  const limitedKey = async (f: StoreApp) => {
    const body = { name: "k", role: "admin", tenant_id: "ten_b", ...LIMITS };
    return `/v1/admin/keys/${(await f.call("POST", "/v1/admin/keys", body, OPERATOR)).json.id as string}`;
  };

  test.each([
    [{ quotas: { max_bytes: null } }, "quotas.max_bytes"],
    [{ quotas: { max_bytes: 1001 } }, "quotas.max_bytes"],
    [{ quotas: { max_vector_stores: 1, requests_per_minute: 61 } }, "quotas.requests_per_minute"],
    [{ expires_at: null }, "expires_at"],
    [{ expires_at: LATER + 1 }, "expires_at"],
  ])("its own administrator cannot lift by %j", async (body, param) => {
    await using f = await withAdmin();
    const path = await limitedKey(f);
    expect(codeOf(await f.call("POST", path, body, ownAdmin))).toEqual([403, "permission_denied", param]);
    expect((await f.call("GET", path, undefined, ownAdmin)).json).toMatchObject(LIMITS);
  });

  test("may be narrowed and widened again up to there, and lifted by an operator", async () => {
    await using f = await withAdmin();
    const path = await limitedKey(f);
    for (const body of [
      { quotas: { max_bytes: 10 } },
      { quotas: { max_bytes: 1000 } },
      { expires_at: LATER },
      { name: "n" },
    ])
      expect((await f.call("POST", path, body, ownAdmin)).status).toBe(200);
    expect((await f.call("POST", path, { quotas: { max_bytes: null }, expires_at: null }, OPERATOR)).status).toBe(200);
    expect((await f.call("POST", path, { quotas: { max_bytes: 5000 }, expires_at: null }, ownAdmin)).status).toBe(200);
    const still = await f.call("POST", path, { quotas: { requests_per_minute: null } }, ownAdmin);
    expect(codeOf(still)).toEqual([403, "permission_denied", "quotas.requests_per_minute"]);
  });

  test("also on a key that the tenant made itself", async () => {
    await using f = await withAdmin();
    const made = (await f.call("POST", "/v1/admin/keys", { name: "k", quotas: { max_bytes: 5 } }, ownAdmin)).json;
    const path = `/v1/admin/keys/${made.id as string}`;
    expect((await f.call("POST", path, { quotas: { max_bytes: null } }, ownAdmin)).status).toBe(200);
    await f.call("POST", path, { quotas: { max_bytes: 100 } }, OPERATOR);
    expect(codeOf(await f.call("POST", path, { quotas: { max_bytes: null } }, ownAdmin))[0]).toBe(403);
  });
});

describe("an administrator's key that is limited itself", () => {
  const LIMITED = "sk-test-limited-0123456789";
  const limited = { authorization: `Bearer ${LIMITED}` };
  const withLimited = async (tenantId: string) => {
    const f = await withAdmin();
    const more = { role: "admin", expiresAt: LATER, quotas: { max_bytes: 1000, requests_per_minute: 60 } } as const;
    await f.addKey(LIMITED, { id: "key_limited", tenantId, ...more });
    return f;
  };
  const beyond: [body: object, param: string][] = [
    [{ quotas: { max_bytes: null } }, "quotas.max_bytes"],
    [{ quotas: { max_bytes: 1001 } }, "quotas.max_bytes"],
    [{ quotas: { max_vector_stores: 1, requests_per_minute: 61 } }, "quotas.requests_per_minute"],
    [{ expires_at: null }, "expires_at"],
    [{ expires_at: LATER + 1 }, "expires_at"],
  ];

  // An operator's too.
  describe.each(["ten_a", "ten_b"])("of %s", (tenantId) => {
    test.each(beyond)("makes no key with %j", async (body, param) => {
      await using f = await withLimited(tenantId);
      const count = async () => (await f.call("GET", "/v1/admin/keys", undefined, OPERATOR)).json.data.length as number;
      const before = await count();
      const made = await f.call("POST", "/v1/admin/keys", { name: "k", ...body }, limited);
      expect(codeOf(made)).toEqual([403, "permission_denied", param]);
      expect(await count()).toBe(before);
    });

    test.each(beyond)("gives neither another key nor itself %j", async (body, param) => {
      await using f = await withLimited(tenantId);
      await f.addKey("sk-test-next-0123456789", { id: "key_next", tenantId });
      for (const id of ["key_next", "key_limited"])
        expect(codeOf(await f.call("POST", `/v1/admin/keys/${id}`, body, limited))).toEqual([
          403,
          "permission_denied",
          param,
        ]);
    });

    test("makes keys with its own limits where none are said, and with narrower ones", async () => {
      await using f = await withLimited(tenantId);
      const made = await f.call("POST", "/v1/admin/keys", { name: "k", role: "admin" }, limited);
      expect(made.json).toMatchObject({ quotas: { max_bytes: 1000, requests_per_minute: 60 }, expires_at: LATER });
      const narrow = { name: "k", quotas: { max_bytes: 1, max_vector_stores: 2 }, expires_at: LATER - 1 };
      expect((await f.call("POST", "/v1/admin/keys", narrow, limited)).json).toMatchObject({
        quotas: { max_bytes: 1, max_vector_stores: 2, requests_per_minute: 60 },
        expires_at: LATER - 1,
      });
      // What it made hands on no more than it has either.
      const next = { authorization: `Bearer ${made.json.key as string}` };
      const codes = codeOf(await f.call("POST", "/v1/admin/keys", { name: "k", expires_at: LATER + 1 }, next));
      expect(codes).toEqual([403, "permission_denied", "expires_at"]);
    });
  });

  test("reaches no other tenant", async () => {
    await using f = await withLimited("ten_b");
    const made = await f.call("POST", "/v1/admin/keys", { name: "k", tenant_id: "ten_a" }, limited);
    expect(made.status).toBe(404);
  });
});

describe("a suspended tenant", () => {
  const form = () => {
    const data = new FormData();
    data.append("purpose", "assistants");
    data.append("file", new File(["words"], "a.txt"));
    return data;
  };

  test("reads and deletes what is its own, and nothing else", async () => {
    await using f = await withAdmin();
    const file = (await f.call("POST", "/v1/files", form(), OTHER)).json.id as string;
    const store = (await f.call("POST", "/v1/vector_stores", {}, OTHER)).json.id as string;
    const about = { filename: "a", purpose: "assistants", bytes: 5, mime_type: "a/b" };
    const upload = (await f.call("POST", "/v1/uploads", about, OTHER)).json.id as string;
    await f.call("POST", "/v1/admin/tenants/ten_b", { status: "suspended" }, OPERATOR);
    const refused: [string, unknown][] = [
      ["/v1/files", form()],
      ["/v1/uploads", about],
      [`/v1/uploads/${upload}/complete`, { part_ids: ["part_x"] }],
      ["/v1/embeddings", { model: "lectern-embed-en", input: "x" }],
      ["/v1/rerank", { query: "a", documents: ["b"] }],
      ["/v1/vector_stores", {}],
      [`/v1/vector_stores/${store}/search`, { query: "x" }],
      [`/v1/vector_stores/${store}/embeddings`, { content: "x" }],
      ["/v1/admin/keys", { name: "k" }],
      ["/v1/admin/keys/key_own", { name: "k" }],
    ];
    for (const [path, body] of refused)
      expect([path, ...codeOf(await f.call("POST", path, body, ownAdmin)).slice(0, 2)]).toEqual([
        path,
        402,
        "vector_store_suspended",
      ]);
    for (const path of [
      `/v1/files/${file}`,
      `/v1/files/${file}/content`,
      "/v1/files",
      "/v1/vector_stores",
      "/v1/admin/keys",
    ])
      expect([path, (await f.call("GET", path, undefined, ownAdmin)).status]).toEqual([path, 200]);
    expect((await f.call("POST", `/v1/uploads/${upload}/cancel`, undefined, OTHER)).status).toBe(200);
    for (const path of [`/v1/files/${file}`, `/v1/vector_stores/${store}`, "/v1/admin/keys/key_other"])
      expect([path, (await f.call("DELETE", path, undefined, ownAdmin)).status]).toEqual([path, 200]);
    await f.call("POST", "/v1/admin/tenants/ten_b", { status: "active" }, OPERATOR);
    expect((await f.call("POST", "/v1/files", form(), ownAdmin)).status).toBe(200);
  });
});

describe("the lists of a key that is limited to a store", () => {
  const LIMITED = "sk-test-limited-0123456789";
  const limited = { authorization: `Bearer ${LIMITED}` };

  test("take no hidden store and no hidden file as a place", async () => {
    await using f = await storeApp();
    const mine = (await f.call("POST", "/v1/vector_stores", {})).json.id as string;
    const hidden = (await f.call("POST", "/v1/vector_stores", {})).json.id as string;
    const secret = await f.file("secret.txt");
    await f.addKey(LIMITED, { storeIds: [mine], role: "read" });
    // Pages of a key of all stores end at them.
    await f.call("GET", "/v1/vector_stores");
    await f.call("GET", "/v1/files");
    for (const [list, id, nope] of [
      ["vector_stores", hidden, "vs_nope"],
      ["files", secret, "file-nope"],
    ] as const) {
      for (const param of list === "files" ? ["after"] : ["after", "before"]) {
        const [known, unknown] = [
          await f.call("GET", `/v1/${list}?${param}=${id}`, undefined, limited),
          await f.call("GET", `/v1/${list}?${param}=${nope}`, undefined, limited),
        ];
        expect([known.status, JSON.stringify(known.json).replaceAll(id, nope)]).toEqual([
          400,
          JSON.stringify(unknown.json),
        ]);
      }
    }
    expect((await f.call("GET", `/v1/vector_stores?after=${mine}`, undefined, limited)).status).toBe(200);
  });
});
