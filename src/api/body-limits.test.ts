import { expect, test } from "bun:test";
import { KEYS, storeApp } from "../app/testing/store-app.ts";

const MIB = 1024 * 1024;
const tooLarge = (bytes: number) => [
  413,
  "payload_too_large",
  `The request body is too large: at most ${bytes} bytes are accepted here. Send less at once.`,
];

test.each([
  ["a search", "/v1/vector_stores/vs_x/search", MIB],
  ["a vector store", "/v1/vector_stores", 256 * 1024],
  ["a key", "/v1/admin/keys", 64 * 1024],
])("%s takes as much as it needs", async (_, path, bytes) => {
  await using f = await storeApp();
  const { status, json } = await f.call(
    "POST",
    path,
    { x: "x".repeat(bytes) },
    { authorization: `Bearer ${KEYS.admin}` },
  );
  expect([status, json.error.code, json.error.message]).toEqual(tooLarge(bytes));
});

test("the operator's ceiling counts where an operation takes more", async () => {
  await using f = await storeApp({ maxJsonMb: 1 });
  const { status, json } = await f.call("POST", "/v1/embeddings", { model: "m", input: "x".repeat(2 * MIB) });
  expect([status, json.error.code, json.error.message]).toEqual(tooLarge(MIB));
});

test("what a key may not do counts for its requests a minute as well", async () => {
  await using f = await storeApp();
  const key = await f.call(
    "POST",
    "/v1/admin/keys",
    { name: "k", role: "read", quotas: { requests_per_minute: 2 } },
    {
      authorization: `Bearer ${KEYS.admin}`,
    },
  );
  const headers = { authorization: `Bearer ${key.json.key}` };
  const statuses: number[] = [];
  for (let i = 0; i < 3; i++) statuses.push((await f.call("POST", "/v1/vector_stores", {}, headers)).status);
  expect(statuses).toEqual([403, 403, 429]);
});
