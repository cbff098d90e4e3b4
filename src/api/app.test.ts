import { describe, expect, test } from "bun:test";
import { Type } from "@sinclair/typebox";
import { AppError } from "../errors.ts";
import { oneOf } from "../http/openai.ts";
import { LARGE_BODY, NO_BODY } from "../http/body-limit.ts";
import { operation } from "../http/operation.ts";
import { asAppError } from "../http/plugins/errors.ts";
import { storeApp, KEYS } from "../app/testing/store-app.ts";
import { recorder } from "./testing/recorder.ts";

const INVALID_JSON = "We could not parse the JSON body of your request:";
const Body = Type.Object(
  {
    name: Type.Optional(Type.String()),
    limit: Type.Optional(Type.Integer({ maximum: 100 })),
    file_ids: Type.Optional(Type.Array(Type.String(), { maxItems: 2 })),
  },
  { additionalProperties: false },
);

/** Operations that show what the plumbing does around a handler. */
const probes = [
  operation(
    {
      method: "POST",
      path: "/v1/vector_stores/{vector_store_id}",
      operationId: "probe",
      summary: "Echo",
      tag: "Lectern",
      role: "write",
      bodyLimit: LARGE_BODY,
      body: Body,
      foreignKeys: ["provider_id"],
      alsoPatch: true,
      fightclub: {
        file_ids: { array_above_max_length: "too_many_files", default: "invalid_file_ids" },
        name: "invalid_name",
      },
      response: Type.Object({}),
    },
    ({ params, body, dialect }) => ({ id: params.vector_store_id, body, dialect }),
  ),
  operation(
    {
      method: "POST",
      path: "/v1/vector_stores/{vector_store_id}/search",
      operationId: "fail",
      summary: "Fail",
      tag: "Lectern",
      role: "read",
      bodyLimit: LARGE_BODY,
      body: Type.Object({ query: Type.String(), code: Type.Optional(Type.String()) }, { additionalProperties: false }),
      response: Type.Object({}),
    },
    ({ body }) => {
      if (body.code === undefined) throw new TypeError(`secret of ${body.query}`);
      throw new AppError(body.code as "overloaded", "Said so.", { retryAfterSeconds: 2.5 });
    },
  ),
  operation(
    {
      method: "GET",
      path: "/v1/models/{model}",
      operationId: "model",
      summary: "Echo",
      tag: "Lectern",
      role: "read",
      bodyLimit: NO_BODY,
      query: Type.Object({
        order: Type.Optional(oneOf(["asc", "desc"])),
        limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
      }),
      response: Type.Object({}),
    },
    ({ params, query, headers }) => {
      headers.set("x-probe", "1");
      return { id: params.model, query };
    },
  ),
];

const STORE = "/v1/vector_stores/vs_1";

const BAD_REQUESTS: [what: string, method: string, path: string, body: string | null, status: number, error: object][] =
  [
    [
      "unknown address",
      "GET",
      "/v1/_stainless_unknown_path?limit=0",
      null,
      404,
      { message: "Invalid URL (GET /v1/_stainless_unknown_path)", param: null, code: "unknown_url" },
    ],
    [
      "unknown method",
      "PUT",
      STORE,
      "{}",
      404,
      { message: `Invalid URL (PUT ${STORE})`, param: null, code: "unknown_url" },
    ],
    [
      "an address outside the API",
      "GET",
      "/admin.php",
      null,
      404,
      { message: "Invalid URL (GET /admin.php)", param: null, code: "unknown_url" },
    ],
    [
      "broken percent-coding",
      "GET",
      "/v1/models/%ff",
      null,
      404,
      { message: "Invalid URL (GET /v1/models/%ff)", param: null, code: "unknown_url" },
    ],
    [
      "not JSON",
      "POST",
      STORE,
      "{",
      400,
      { message: `${INVALID_JSON} it is not valid JSON.`, param: null, code: "invalid_json" },
    ],
    [
      "100,000 levels of JSON",
      "POST",
      STORE,
      "[".repeat(100_000),
      400,
      { message: `${INVALID_JSON} it is nested more than 100 levels deep.`, param: null, code: "invalid_json" },
    ],
    [
      "a body above the limit",
      "POST",
      STORE,
      `{"name":"${"x".repeat(1024 * 1024)}"}`,
      413,
      {
        message: "The request body is too large: at most 1048576 bytes are accepted here. Send less at once.",
        param: null,
        code: "payload_too_large",
      },
    ],
    [
      "an array for a body",
      "POST",
      STORE,
      "[]",
      400,
      {
        message: "Invalid type for the request body: expected an object, but got an array instead.",
        param: null,
        code: "invalid_type",
      },
    ],
    [
      "a number as text",
      "POST",
      STORE,
      '{"limit":"5"}',
      400,
      {
        message: "Invalid type for 'limit': expected an integer, but got a string instead.",
        param: "limit",
        code: "invalid_type",
      },
    ],
    [
      "an unknown key",
      "POST",
      STORE,
      '{"nam":"x"}',
      400,
      { message: "Unknown parameter: 'nam'.", param: "nam", code: "unknown_parameter" },
    ],
    [
      "an unknown key by PATCH",
      "PATCH",
      STORE,
      '{"nam":"x"}',
      400,
      { message: "Unknown parameter: 'nam'.", param: "nam", code: "unknown_parameter" },
    ],
    [
      "a missing parameter",
      "POST",
      `${STORE}/search`,
      null,
      400,
      { message: "Missing required parameter: 'query'.", param: "query", code: "missing_required_parameter" },
    ],
    [
      "a query value above its bound",
      "GET",
      "/v1/models/x?limit=101",
      null,
      400,
      {
        message: "Invalid 'limit': integer above maximum value. Expected a value <= 100, but got 101 instead.",
        param: "limit",
        code: "integer_above_max_value",
      },
    ],
    [
      "a query value below its bound",
      "GET",
      "/v1/models/x?limit=0",
      null,
      400,
      {
        message: "Invalid 'limit': integer below minimum value. Expected a value >= 1, but got 0 instead.",
        param: "limit",
        code: "integer_below_min_value",
      },
    ],
    [
      "a query value of the wrong type",
      "GET",
      "/v1/models/x?limit=ten",
      null,
      400,
      {
        message: "Invalid type for 'limit': expected an integer, but got a string instead.",
        param: "limit",
        code: "invalid_type",
      },
    ],
    [
      "a query value outside its list",
      "GET",
      "/v1/models/x?order=up",
      null,
      400,
      {
        message: "Invalid value: 'up'. Supported values are: 'asc' and 'desc'.",
        param: "order",
        code: "invalid_value",
      },
    ],
    [
      "an unknown dialect",
      "GET",
      "/v1/models/x?dialect=klingon",
      null,
      400,
      {
        message:
          "Invalid value: 'klingon'. Supported values are: 'openai', 'openai-strict', 'fightclub', 'ragwalla', 'aqueduct', 'legacy'.",
        param: "dialect",
        code: "invalid_value",
      },
    ],
  ];

describe("a bad request is answered in OpenAI's envelope", () => {
  test.each(BAD_REQUESTS)("%s", async (_, method, path, body, status, error) => {
    await using f = await storeApp({ more: probes });
    const answer = await f.call(method, path, body);
    expect(answer.json).toEqual({ error: { type: "invalid_request_error", ...error } });
    expect(answer.status).toBe(status);
    expect(answer.headers.get("x-should-retry")).toBe("false");
    expect(answer.headers.get("x-request-id")).toMatch(/^req_\w{24}$/);
    expect(answer.headers.get("content-type")).toBe("application/json");
  });

  test("invalid UTF-8 is not JSON", async () => {
    await using f = await storeApp({ more: probes });
    const answer = await f.call("POST", STORE, new Uint8Array([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d]));
    expect(answer.json.error).toMatchObject({
      code: "invalid_json",
      message: `${INVALID_JSON} it is not valid UTF-8.`,
    });
  });
});

describe("keys", () => {
  test.each([
    ["no key", {}, null],
    ["an empty one", { authorization: "Bearer " }, null],
    ["another scheme", { authorization: "Basic abc" }, null],
    ["a wrong one", { authorization: "Bearer sk-wrong-secret-middle-9876" }, "sk-***9876"],
    ["a short wrong one", { authorization: "Bearer hunter2" }, "***"],
    ["a wrong api-key header", { "api-key": "sk-wrong-secret-middle-9876" }, "sk-***9876"],
  ])("%s is 401 invalid_api_key and is not repeated", async (_, headers, shown) => {
    await using f = await storeApp({ more: probes });
    const answer = await f.call("GET", "/v1/models/x", null, { authorization: "", ...headers } as Record<
      string,
      string
    >);
    expect(answer.status).toBe(401);
    expect(answer.json.error).toMatchObject({ type: "invalid_request_error", param: null, code: "invalid_api_key" });
    expect(answer.json.error.message).toStartWith(
      shown === null ? "You didn't provide an API key." : `Incorrect API key provided: ${shown}.`,
    );
    expect(JSON.stringify(answer.json)).not.toMatch(/secret|hunter2/);
  });

  test("are taken from Azure's header too, and may contain spaces", async () => {
    await using f = await storeApp({ more: probes });
    for (const key of ["k", "My API Key"]) await f.addKey(key, { role: "read" });
    expect((await f.call("GET", "/v1/models/x", null, { authorization: "", "api-key": "k" })).status).toBe(200);
    expect((await f.call("GET", "/v1/models/x", null, { authorization: "Bearer My API Key" })).status).toBe(200);
  });

  test("of readers may not write", async () => {
    await using f = await storeApp({ more: probes });
    const answer = await f.call("POST", STORE, {}, { authorization: `Bearer ${KEYS.read}` });
    expect(answer.status).toBe(403);
    expect(answer.json.error.code).toBe("permission_denied");
    expect((await f.call("GET", "/v1/models/x", null, { authorization: `Bearer ${KEYS.read}` })).status).toBe(200);
  });

  test("bound to some stores know of no other", async () => {
    await using f = await storeApp({ more: probes });
    await f.addKey("sk-one-store", { storeIds: ["vs_mine"] });
    const key = { authorization: "Bearer sk-one-store" };
    expect((await f.call("POST", "/v1/vector_stores/vs_mine", {}, key)).status).toBe(200);
    const answer = await f.call("POST", STORE, {}, key);
    expect(answer.status).toBe(404);
    expect(answer.json.error.message).toBe("No vector store found with id 'vs_1'");
  });

  test("may have only so many requests in flight", async () => {
    const gate = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const slow = operation(
      {
        method: "GET",
        path: "/v1/slow",
        operationId: "slow",
        summary: "s",
        tag: "Lectern",
        role: "read",
        bodyLimit: NO_BODY,
        response: Type.Object({}),
      },
      async () => {
        begun.resolve();
        await gate.promise;
        return {};
      },
    );
    await using f = await storeApp({ more: [slow], maxRequestsPerKey: 1 });
    const first = f.call("GET", "/v1/slow");
    await begun.promise;
    const second = await f.call("GET", "/v1/slow");
    expect(second.status).toBe(429);
    expect(second.headers.get("retry-after")).toBe("1");
    expect(second.headers.get("x-should-retry")).toBeNull();
    gate.resolve();
    expect((await first).status).toBe(200);
    expect((await f.call("GET", "/v1/slow")).status).toBe(200);
    expect(f.app.inFlight()).toBe(0);
  });
});

describe("addresses and methods", () => {
  test.each([
    "/v1/vector_stores/vs_1",
    "/vector_stores/vs_1",
    "/openai/v1/vector_stores/vs_1/",
    "/v1/openai/v1/vector_stores/vs_1",
  ])("%s reaches the store", async (path) => {
    await using f = await storeApp({ more: probes });
    expect((await f.call("POST", path, { name: "n" })).json).toEqual({
      id: "vs_1",
      body: { name: "n" },
      dialect: "openai",
    });
  });

  test("a model's id may hold slashes and colons, coded or not", async () => {
    await using f = await storeApp({ more: probes });
    expect((await f.call("GET", "/v1/models/org/name:tag")).json.id).toBe("org/name:tag");
    expect((await f.call("GET", "/models/org%2Fname%3Atag")).json.id).toBe("org/name:tag");
  });

  test("a body counts as JSON whatever its content type, and none counts as empty", async () => {
    await using f = await storeApp({ more: probes });
    expect((await f.call("POST", STORE, '{"name":"n"}', { "content-type": "text/plain" })).json.body).toEqual({
      name: "n",
    });
    expect(
      (await f.call("POST", STORE, '{"name":"n"}', { "content-type": "application/x-www-form-urlencoded" })).json.body,
    ).toEqual({ name: "n" });
    expect((await f.call("POST", STORE)).json.body).toEqual({});
    expect((await f.call("PATCH", STORE, { provider_id: "x" })).json.body).toEqual({});
  });

  test("HEAD answers as GET without a body, OPTIONS says what is allowed", async () => {
    await using f = await storeApp({ more: probes, only: () => false });
    const head = await f.call("HEAD", "/v1/models/x");
    expect([head.status, head.headers.get("x-probe"), head.json]).toEqual([200, "1", ""]);
    const options = await f.call("OPTIONS", STORE);
    expect([options.status, options.headers.get("allow")]).toEqual([204, "POST, PATCH, OPTIONS"]);
    expect(options.headers.get("access-control-allow-origin")).toBeNull();
    expect((await f.call("OPTIONS", "/v1/nope")).status).toBe(404);
  });
});

describe("dialects", () => {
  test("are chosen by query, then header, then key, then server", async () => {
    await using f = await storeApp({ more: probes, dialect: "aqueduct" });
    await f.addKey("sk-ragwalla", { dialect: "ragwalla" });
    const key = { authorization: "Bearer sk-ragwalla" };
    const header = { ...key, "x-vector-dialect": "legacy" };
    expect((await f.call("POST", `${STORE}?dialect=fightclub`, {}, header)).json.dialect).toBe("fightclub");
    expect((await f.call("POST", STORE, {}, header)).json.dialect).toBe("legacy");
    expect((await f.call("POST", STORE, {}, key)).json.dialect).toBe("ragwalla");
    expect((await f.call("POST", STORE, {})).json.dialect).toBe("aqueduct");
  });

  test("fightclub has names of its own for validation errors", async () => {
    await using f = await storeApp({ more: probes });
    const codeOf = async (body: object) => (await f.call("POST", `${STORE}?dialect=fightclub`, body)).json.error.code;
    expect(await codeOf({ file_ids: ["a", "b", "c"] })).toBe("too_many_files");
    expect(await codeOf({ file_ids: "a" })).toBe("invalid_file_ids");
    expect(await codeOf({ name: 1 })).toBe("invalid_name");
    expect(await codeOf({ limit: "x" })).toBe("invalid_type");
    expect((await f.call("POST", STORE, { file_ids: ["a", "b", "c"] })).json.error.code).toBe("array_above_max_length");
  });

  test("openai-strict has no code where the hosted service has none", async () => {
    await using f = await storeApp({ more: probes });
    expect((await f.call("GET", "/v1/files/file-x?dialect=openai-strict")).json.error.code).toBeNull();
    expect((await f.call("GET", "/v1/files/file-x")).json.error.code).toBe("file_not_found");
  });
});

describe("failures", () => {
  test("unexpected ones tell the client nothing and are logged once, with the request's id", async () => {
    const { log, lines } = recorder();
    await using f = await storeApp({ more: probes, log });
    const answer = await f.call("POST", `${STORE}/search`, { query: "q" });
    expect(answer.status).toBe(500);
    expect(answer.json.error).toEqual({
      message: "The server had an error while processing your request. Sorry about that!",
      type: "server_error",
      param: null,
      code: "internal_error",
    });
    const errors = lines.filter((line) => line.level === "error");
    expect(errors).toHaveLength(1);
    expect(errors[0]?.fields["request_id"]).toBe(answer.headers.get("x-request-id") ?? "none");
    expect(String(errors[0]?.fields["cause"])).toContain("TypeError");
  });

  test.each([
    ["overloaded", 429, "3", null],
    ["embedding_model_unavailable", 503, "3", null],
    ["embedding_provider_error", 502, null, null],
    ["insufficient_storage", 507, null, "false"],
    ["vector_store_unavailable", 409, null, "false"],
    ["vector_store_suspended", 402, null, "false"],
    ["vector_store_limit_reached", 403, null, "false"],
  ])("%s is %d with Retry-After %s and x-should-retry %s", async (code, status, retryAfter, shouldRetry) => {
    await using f = await storeApp({ more: probes });
    const answer = await f.call("POST", `${STORE}/search`, { query: "q", code });
    expect([answer.status, answer.headers.get("retry-after"), answer.headers.get("x-should-retry")]).toEqual([
      status,
      retryAfter,
      shouldRetry,
    ]);
  });

  test("the request log names the route and never the address or the body", async () => {
    const { log, lines } = recorder();
    await using f = await storeApp({ more: probes, log });
    await f.call("POST", "/vector_stores/vs_private/search?dialect=legacy&api-version=topsecret", {
      query: "topsecret",
      code: "overloaded",
    });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({
      message: "request",
      fields: { method: "POST", route: "/v1/vector_stores/{vector_store_id}/search", status: 429, key_id: "key_write" },
    });
    expect(JSON.stringify(lines)).not.toMatch(/topsecret|vs_private/);
  });

  test("the line of a refused request names the code and the parameter, whoever refuses it", async () => {
    const { log, lines } = recorder();
    await using f = await storeApp({ more: probes, log });
    await f.call("POST", STORE, { limit: "x" });
    await f.call("GET", "/v1/files", null, { authorization: "" });
    await f.call("GET", "/v1/nope");
    await f.call("POST", `${STORE}?dialect=openai-strict`, "{");
    await f.call("GET", "/healthz", null, { host: "a b" });
    await f.call("POST", STORE, {});
    expect(lines.map(({ fields }) => [fields["status"], fields["code"], fields["param"]])).toEqual([
      [400, "invalid_type", "limit"],
      [401, "invalid_api_key", undefined],
      [404, "unknown_url", undefined],
      [400, "invalid_json", undefined],
      [400, "invalid_value", undefined],
      [200, undefined, undefined],
    ]);
  });

  test("an address that nothing answers to is told with one that is served, where it is near", async () => {
    await using f = await storeApp({ more: probes });
    const told = async (method: string, path: string) => (await f.call(method, path)).json.error.message;
    expect(await told("POST", "/v1/v1/vector_stores/vs_1/search")).toBe(
      "Invalid URL (POST /v1/v1/vector_stores/vs_1/search). Did you mean /v1/vector_stores/vs_1/search?",
    );
    expect(await told("GET", "/api/v1/files")).toEndWith("Did you mean /v1/files?");
    expect(await told("OPTIONS", "/v2/files")).toEndWith("Did you mean /v1/files?");
    expect(await told("GET", "/v1/chat/completions")).toBe("Invalid URL (GET /v1/chat/completions)");
  });
});

describe("service addresses", () => {
  test("health, readiness and metrics", async () => {
    await using f = await storeApp({ more: probes });
    const anonymous = { authorization: "" };
    expect((await f.call("GET", "/healthz", null, anonymous)).json).toEqual({ status: "ok" });
    expect((await f.call("GET", "/readyz", null, anonymous)).json).toEqual({
      status: "ok",
      checks: { disk: "ok", database: "ok", model: "ok", stopping: "ok", accepting: "ok" },
    });
    expect((await f.call("GET", "/metrics", null, anonymous)).status).toBe(401);
    expect((await f.call("GET", "/metrics")).status).toBe(403);
    const metrics = await f.call("GET", "/metrics", null, { authorization: `Bearer ${KEYS.admin}` });
    expect(metrics.json).toContain('lectern_http_requests_total{method="GET",route="/healthz",status="200"} 1');
    expect(metrics.json).toContain("lectern_http_requests_in_flight 1");
  });

  test("once a sync has failed writes are refused and it is not ready; reads go on", async () => {
    await using f = await storeApp();
    const file = await f.file("a.txt");
    f.engine.data.trust.lose("the database", new Error("EIO on /secret/meta.sqlite"));
    const ready = await f.call("GET", "/readyz");
    expect([ready.status, ready.json.checks.disk]).toEqual([503, "did not keep the database; start the server again"]);
    const refused = await f.call("POST", "/v1/vector_stores", { name: "new" });
    expect([refused.status, refused.headers.get("retry-after"), refused.json.error]).toEqual([
      503,
      "60",
      {
        message:
          "The server's disk did not keep what was written to it, so nothing more is written until the server is started again. What is stored can be read.",
        type: "server_error",
        param: null,
        code: "storage_unavailable",
      },
    ]);
    expect((await f.call("GET", `/v1/files/${file}`)).status).toBe(200);
  });

  test.each(["SQLITE_FULL", "ENOSPC", "EDQUOT"])("%s is told as a full disk, wherever it is met", (code) => {
    const told = asAppError(Object.assign(new Error("no space left on /secret"), { code }));
    expect([told.code, told.message]).toEqual([
      "insufficient_storage",
      "There is not enough free disk space on the server for what was asked. Try again when its operator has freed some.",
    ]);
  });

  test("a stopping server is alive, not ready, and takes no more work", async () => {
    await using f = await storeApp({ more: probes });
    f.stopping.abort();
    expect((await f.call("GET", "/healthz")).status).toBe(200);
    const ready = await f.call("GET", "/readyz");
    expect([ready.status, ready.json.status, ready.json.checks.accepting]).toEqual([
      503,
      "unavailable",
      "the server is stopping",
    ]);
    const refused = await f.call("GET", "/v1/models/x");
    expect([refused.status, refused.json.error.code, refused.headers.get("retry-after")]).toEqual([
      503,
      "shutting_down",
      "1",
    ]);
  });
});
