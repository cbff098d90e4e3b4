/** What happens around every operation: clients that go, pages of other origins. */
import { once } from "node:events";
import { describe, expect, test } from "bun:test";
import { Type } from "@sinclair/typebox";
import { AppError } from "../errors.ts";
import { LARGE_BODY } from "../http/body-limit.ts";
import { operation } from "../http/operation.ts";
import { storeApp, KEYS } from "../app/testing/store-app.ts";
import { recorder } from "./testing/recorder.ts";

const FAILS = "/v1/fails";
const fails = operation(
  {
    method: "POST",
    path: FAILS,
    operationId: "fails",
    summary: "Fail",
    tag: "Lectern",
    role: "read",
    bodyLimit: LARGE_BODY,
    body: Type.Object({ code: Type.Optional(Type.String()) }, { additionalProperties: false }),
    response: Type.Object({}),
  },
  ({ body }) => {
    throw body.code === undefined ? new TypeError("a failure") : new AppError(body.code as "overloaded", "Said so.");
  },
);

describe("a client that hangs up", () => {
  const waits = (thrown: () => Error | null) =>
    operation(
      {
        method: "POST",
        path: "/v1/waits",
        operationId: "waits",
        summary: "Wait",
        tag: "Lectern",
        role: "read",
        bodyLimit: LARGE_BODY,
        body: Type.Object({}),
        response: Type.Object({}),
      },
      async ({ signal }) => {
        if (!signal.aborted) await once(signal, "abort");
        const error = thrown();
        if (error !== null) throw error;
        return { done: true };
      },
    );

  test.each<[string, () => Error | null]>([
    ["was told that the work was given up", () => new AppError("shutting_down", "The request was interrupted.")],
    ["met a failure", () => new TypeError("aborted")],
    ["was refused", () => new AppError("invalid_value", "No.")],
    ["was answered", () => null],
  ])(
    "is 499 in the log and in the metrics, and nothing of the server's failures, when it %s",
    async (_what, thrown) => {
      const { log: recording, lines: seen } = recorder();
      await using f = await storeApp({ more: [waits(thrown)], log: recording });
      const gone = new AbortController();
      const headers = { authorization: `Bearer ${KEYS.write}` };
      const request = new Request("http://localhost/v1/waits", { method: "POST", headers, signal: gone.signal });
      const answer = f.app.handle(request);
      gone.abort();
      expect((await answer).status).toBe(499);
      // Of the requests: a crowded machine has the database say that it took long.
      const requests = seen.filter(({ fields }) => "status" in fields);
      expect(requests.map(({ level, fields }) => [level, fields["status"], fields["code"]])).toEqual([
        ["info", 499, undefined],
      ]);
      const admin = { authorization: `Bearer ${KEYS.admin}` };
      const metrics = (await f.call("GET", "/metrics", null, admin)).json as string;
      expect(metrics).toContain('lectern_http_requests_total{method="POST",route="/v1/waits",status="499"} 1');
      expect(metrics).not.toMatch(/status="5\d\d"/);
    },
  );
});

describe("pages of other origins", () => {
  const APP = "http://app.example";
  const preflight = {
    origin: APP,
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization",
  };

  test("may ask what they may do, without a key, where their origin was named", async () => {
    await using f = await storeApp({ more: [fails], corsOrigins: [APP] });
    const { status, headers } = await f.call("OPTIONS", FAILS, null, { ...preflight, authorization: "" });
    expect([status, headers.get("access-control-allow-origin"), headers.get("access-control-allow-methods")]).toEqual([
      204,
      APP,
      "POST, OPTIONS",
    ]);
    expect(headers.get("access-control-allow-headers")).toBe("authorization");
    const other = await f.call("OPTIONS", FAILS, null, { ...preflight, origin: "http://other.example" });
    expect([other.status, other.headers.get("access-control-allow-origin")]).toEqual([204, null]);
    await using off = await storeApp({ more: [fails] });
    expect([...(await off.call("OPTIONS", FAILS, null, preflight)).headers.keys()].join()).not.toContain(
      "access-control",
    );
  });

  test("read answers and refusals alike, with the headers that clients act on", async () => {
    await using f = await storeApp({ more: [fails], corsOrigins: [APP] });
    const all: [string, string, object | null, Record<string, string>][] = [
      ["GET", "/v1/files", null, {}],
      ["GET", "/v1/files", null, { authorization: "" }],
      ["GET", "/v1/nope", null, {}],
      ["OPTIONS", "/v1/nope", null, {}],
      ["POST", FAILS, { limit: "x" }, {}],
      ["POST", FAILS, {}, {}],
      ["POST", FAILS, { code: "overloaded" }, {}],
    ];
    for (const [method, path, body, headers] of all) {
      const answer = await f.call(method, path, body, { origin: APP, ...headers });
      expect([path, answer.headers.get("access-control-allow-origin")]).toEqual([path, APP]);
      expect(answer.headers.get("access-control-expose-headers")).toContain("x-request-id, retry-after");
    }
  });
});
