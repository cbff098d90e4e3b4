import { describe, expect, test } from "bun:test";
import { Type } from "@sinclair/typebox";
import { Validator } from "@seriousme/openapi-schema-validator";
import { LARGE_BODY } from "../../http/body-limit.ts";
import { operation } from "../../http/operation.ts";
import { allOperations } from "../testing/all-operations.ts";
import { type StoreApp, storeApp } from "../../app/testing/store-app.ts";
import type { Operation } from "../../http/operation.ts";
import { compileValidator } from "../../http/validate.ts";
import { createDocument } from "../../http/docs/document.ts";

type Json = Record<string, unknown>;

const Tree = Type.Recursive((This) => Type.Object({ leaf: Type.Optional(Type.String()), children: Type.Array(This) }), {
  $id: "Tree",
});
const recursive = operation(
  {
    method: "POST",
    path: "/v1/vector_stores/{vector_store_id}/search",
    operationId: "plantTree",
    summary: "Plant",
    tag: "Lectern",
    role: "read",
    bodyLimit: LARGE_BODY,
    body: Type.Object(
      { tree: Tree, by: Type.Union([Type.Literal("hand"), Type.Literal("machine"), Type.Null()]) },
      { additionalProperties: false },
    ),
    response: Tree,
    alsoPatch: true,
  },
  () => ({}),
);

async function documentOf(f: StoreApp) {
  const answer = await f.call("GET", "/docs/json", null, { authorization: "" });
  expect(answer.status).toBe(200);
  return answer.json as Json & {
    paths: Record<string, Record<string, Json>>;
    components: { schemas: Record<string, Json> };
  };
}

/** Every object in a JSON value, itself included. */
function* objects(value: unknown): Generator<Json> {
  if (typeof value !== "object" || value === null) return;
  if (!Array.isArray(value)) yield value as Json;
  for (const inner of Object.values(value)) yield* objects(inner);
}

describe("/docs/json", () => {
  test("is OpenAPI 3.1 with every operation once, under its canonical address", async () => {
    const only = ({ spec }: Operation) => ["Files", "Uploads", "Service"].includes(spec.tag);
    await using f = await storeApp({ more: [recursive], only });
    const document = await documentOf(f);
    expect(document["openapi"]).toBe("3.1.0");
    const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(operations.toSorted()).toEqual([
      "DELETE /v1/files/{file_id}",
      "GET /healthz",
      "GET /metrics",
      "GET /readyz",
      "GET /v1/files",
      "GET /v1/files/{file_id}",
      "GET /v1/files/{file_id}/content",
      "POST /v1/files",
      "POST /v1/uploads",
      "POST /v1/uploads/{upload_id}/cancel",
      "POST /v1/uploads/{upload_id}/complete",
      "POST /v1/uploads/{upload_id}/parts",
      "POST /v1/vector_stores/{vector_store_id}/search",
    ]);
    const ids = Object.values(document.paths).flatMap((methods) =>
      Object.values(methods).map((one) => one["operationId"]),
    );
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("resolves every reference and describes every response and parameter", async () => {
    await using f = await storeApp({ more: [recursive] });
    const document = await documentOf(f);
    for (const one of objects(document)) {
      const reference = one["$ref"];
      if (reference === undefined) continue;
      const name = /^#\/components\/schemas\/(\w+)$/.exec(String(reference))?.[1] ?? "";
      expect(Object.keys(document.components.schemas)).toContain(name);
    }
    for (const [path, methods] of Object.entries(document.paths)) {
      for (const one of Object.values(methods)) {
        const responses = one["responses"] as Record<string, Json>;
        expect(Object.keys(responses)).toContain("200");
        for (const response of Object.values(responses)) expect(response["description"]).toBeString();
        const parameters = one["parameters"] as Json[];
        for (const parameter of parameters) expect(parameter["description"]).toBeString();
        const inPath = parameters
          .filter((parameter) => parameter["in"] === "path")
          .map((parameter) => `{${String(parameter["name"])}}`);
        expect(inPath).toEqual(path.match(/\{\w+\}/g) ?? []);
        expect(one["summary"]).toBeString();
      }
    }
  });

  test("holds plain JSON Schema: enums for literals, references for recursion, type lists for null", async () => {
    await using f = await storeApp({ more: [recursive] });
    const document = await documentOf(f);
    expect(document.components.schemas["Tree"]).toEqual({
      type: "object",
      required: ["children"],
      properties: {
        leaf: { type: "string" },
        children: { type: "array", items: { $ref: "#/components/schemas/Tree" } },
      },
    });
    const body = document.paths["/v1/vector_stores/{vector_store_id}/search"]?.["post"]?.["requestBody"] as {
      content: Record<string, { schema: Json }>;
    };
    expect(body.content["application/json"]?.schema["properties"]).toEqual({
      tree: { $ref: "#/components/schemas/Tree" },
      by: { type: ["string", "null"], enum: ["hand", "machine", null] },
    });
    for (const one of objects(document)) {
      expect(one).not.toHaveProperty("$id");
      expect(one).not.toHaveProperty("nullable");
    }
  });

  test("asks for the key once, for everything but the service addresses and what makes one of a link", async () => {
    await using f = await storeApp();
    const document = await documentOf(f);
    expect(document["security"]).toEqual([{ apiKey: [] }]);
    const open = Object.entries(document.paths).filter(([, methods]) =>
      Object.values(methods).some((one) => one["security"] !== undefined),
    );
    expect(open.map(([path]) => path).toSorted()).toEqual([
      "/healthz",
      "/librechat/health",
      "/readyz",
      "/v1/console/session",
    ]);
  });
});

describe("the whole interface", () => {
  const specs = allOperations().map(({ spec }) => spec);

  test("makes a document that is valid OpenAPI 3.1", async () => {
    const { frame, detail } = createDocument(specs);
    const paths: Record<string, Json> = {};
    for (const spec of specs) paths[spec.path] = { ...paths[spec.path], [spec.method.toLowerCase()]: detail(spec) };
    const validator = new Validator();
    const result = await validator.validate({ ...frame, paths });
    expect(result.errors ?? []).toEqual([]);
    expect(result.valid).toBe(true);
    expect(validator.version).toBe("3.1");
  });

  test("gives every operation a name of its own, and every JSON body an example that is valid", () => {
    expect(new Set(specs.map((spec) => spec.operationId)).size).toBe(specs.length);
    const addresses = specs.map((spec) => `${spec.method} ${spec.path}`);
    expect(new Set(addresses).size).toBe(addresses.length);
    for (const spec of specs) {
      if (spec.body === undefined) continue;
      const problem = compileValidator(spec.body).problem(spec.examples?.body);
      expect({ operation: spec.operationId, problem }).toEqual({ operation: spec.operationId, problem: null });
    }
  });

  test("holds OpenAI's operations", () => {
    const served = new Set(specs.map((spec) => `${spec.method} ${spec.path}`));
    const missing = OPENAI_OPERATIONS.filter((one) => !served.has(one));
    expect(OPENAI_OPERATIONS).toHaveLength(29);
    expect(missing).toEqual([]);
  });
});

const STORE = "/v1/vector_stores/{vector_store_id}";
const OPENAI_OPERATIONS = [
  ...["GET /v1/files", "POST /v1/files", "GET /v1/files/{file_id}", "DELETE /v1/files/{file_id}"],
  "GET /v1/files/{file_id}/content",
  ...["POST /v1/uploads", "POST /v1/uploads/{upload_id}/parts", "POST /v1/uploads/{upload_id}/complete"],
  "POST /v1/uploads/{upload_id}/cancel",
  ...["GET /v1/vector_stores", "POST /v1/vector_stores", `GET ${STORE}`, `POST ${STORE}`, `DELETE ${STORE}`],
  `POST ${STORE}/search`,
  ...[`GET ${STORE}/files`, `POST ${STORE}/files`, `GET ${STORE}/files/{file_id}`, `POST ${STORE}/files/{file_id}`],
  ...[`DELETE ${STORE}/files/{file_id}`, `GET ${STORE}/files/{file_id}/content`],
  ...[`POST ${STORE}/file_batches`, `GET ${STORE}/file_batches/{batch_id}`],
  ...[`POST ${STORE}/file_batches/{batch_id}/cancel`, `GET ${STORE}/file_batches/{batch_id}/files`],
  ...["POST /v1/embeddings", "GET /v1/models", "GET /v1/models/{model}", "DELETE /v1/models/{model}"],
];

describe("/docs", () => {
  test("needs no key and loads nothing from elsewhere", async () => {
    await using f = await storeApp();
    const page = await f.call("GET", "/docs", null, { authorization: "" });
    expect(page.status).toBe(200);
    expect(page.headers.get("content-type")).toBe("text/html; charset=utf-8");
    expect(page.headers.get("content-security-policy")).toContain("script-src 'self'");
    const text = page.json as string;
    expect(text).not.toMatch(/https?:\/\//);
    expect(text).not.toMatch(/<script>/);
    const links = [...text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link]) => link ?? "");
    expect(links.length).toBeGreaterThanOrEqual(3);
    for (const link of links) {
      const asset = await f.call("GET", link, null, { authorization: "" });
      expect([link, asset.status]).toEqual([link, 200]);
    }
  });

  test("the page's script shows our document and does not keep the key", async () => {
    await using f = await storeApp();
    const script = (await f.call("GET", "/docs/init.js")).json as string;
    expect(script).toContain('"url":"/docs/json"');
    expect(script).toContain('"persistAuthorization":false');
    expect(script).toContain('"validatorUrl":"none"');
  });

  test.each(["/docs/assets/nope.js", "/docs/assets/..%2F..%2Fpackage.json", "/docs/assets/constructor", "/docs/plain"])(
    "%s is not there",
    async (path) => {
      await using f = await storeApp();
      const answer = await f.call("GET", path);
      expect([answer.status, answer.json.error.code]).toEqual([404, "unknown_url"]);
    },
  );
});
