/** The documents list settings, verbs, operations, errors and metrics as the program has them. `make docs` mends them. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { json } from "../helpers/api.ts";
import { startServer } from "../helpers/server.ts";
import type { TestServer } from "../helpers/server.ts";
import type { ApiDocument } from "./generated.ts";
import { unpadded, withGenerated } from "./generated.ts";
import { pages, readPage } from "./pages.ts";

let server: TestServer;
let api: ApiDocument;
beforeAll(async () => {
  server = await startServer();
  api = await json<ApiDocument>(server, "GET", "/docs/json");
});
afterAll(async () => await server[Symbol.asyncDispose]());

test.each(pages())("%s is as `make docs` would write it", async (page) => {
  const text = readPage(page);
  expect(unpadded(text)).toBe(unpadded(await withGenerated(text, api)));
});

test("every generated part stands in a document", () => {
  const parts = pages().flatMap((page) => [...readPage(page).matchAll(/<!-- generated: ([a-z-]+) -->/g)]);
  expect(new Set(parts.map(([, name]) => name))).toEqual(
    new Set(["dimensions", "errors", "metrics", "operations", "rooms", "settings", "verbs"]),
  );
});
