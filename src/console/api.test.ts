import { expect, test } from "bun:test";
import { ApiError, apiBase, errorOf, readEvents } from "./api.ts";
import { snippet } from "./snippets.ts";

test.each([
  ["http://127.0.0.1:8080/console/", "http://127.0.0.1:8080/v1/"],
  ["http://127.0.0.1:8080/console/#/stores/vs_1/files?name=../", "http://127.0.0.1:8080/v1/"],
  ["https://docs.example/x/lectern/console/?a", "https://docs.example/x/lectern/v1/"],
])("from %s the API is at %s", (page, expected) => {
  expect(apiBase(page)).toBe(expected);
});

test("an error of the server, of a proxy, of nothing", () => {
  const body = '{"error":{"message":"No such store","code":"vector_store_not_found"}}';
  expect(errorOf(body, 404, (name) => (name === "x-request-id" ? "req_1" : null))).toMatchObject({
    message: "No such store",
    code: "vector_store_not_found",
    status: 404,
    requestId: "req_1",
    isPassing: false,
  });
  const none = () => null;
  expect(errorOf("<html>", 502, none)).toMatchObject({ message: "HTTP 502", requestId: "", isPassing: true });
  expect(errorOf("null", 500, none).message).toBe("HTTP 500");
  const waits = (value: string) => errorOf("", 429, (name) => (name === "retry-after" ? value : null)).retryAfterMs;
  expect([waits("7"), waits("Wed, 21 Oct 2026 07:28:00 GMT"), errorOf("", 429, none).retryAfterMs]).toEqual([
    7000, 0, 0,
  ]);
  expect(new ApiError("", { status: 0, code: "", requestId: "" }).isPassing).toBe(true);
});

test("events are read however the stream is cut, without comments", async () => {
  const text =
    'event: progress\ndata: {"a":"ü😀"}\n\n:\n\n: why\n\ndata: [DONE]\n\nevent: done\ndata: {}\n\nevent: cut';
  const bytes = new TextEncoder().encode(text);
  for (const size of [1, 7, 1000]) {
    const body = new ReadableStream<Uint8Array<ArrayBuffer>>({
      start(controller) {
        for (let at = 0; at < bytes.length; at += size) controller.enqueue(bytes.slice(at, at + size));
        controller.close();
      },
    });
    expect(await Array.fromAsync(readEvents(body))).toEqual([
      { event: "progress", data: { a: "ü😀" } },
      { event: "done", data: {} },
    ]);
  }
});

test("a search is copied as code that means the same, whatever is in it, and without the key", () => {
  const query = `it's "quoted" $(rm) \\ \n`;
  const given = { api: "http://x/v1/", store: "vs_1", body: { query, search_mode: "vector", rewrite_query: true } };
  const curl = snippet("curl", given);
  const [, json = ""] = /-d '([^]*)'$/.exec(curl) ?? [];
  expect(JSON.parse(json.replaceAll(`'\\''`, "'"))).toEqual(given.body);
  expect(curl).toContain("$LECTERN_API_KEY");
  expect(snippet("Python", given)).toContain('    extra_body={"search_mode": "vector"},');
  expect(snippet("Python", given)).toContain("    rewrite_query=True,");
  expect(snippet("TypeScript", given)).toContain('"search_mode": "vector"');
});
