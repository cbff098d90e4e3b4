/** Search over HTTP: filters before the cut, arrays of queries, modes, pages and places of what was found. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { addText, newStore, search, json, upload, settled } from "../helpers/api.ts";
import { startServer } from "../helpers/server.ts";
import type { TestServer } from "../helpers/server.ts";

let server: TestServer;
let storeId: string;
beforeAll(async () => {
  server = await startServer();
  storeId = await newStore(server, { name: "search" });
  // Twenty documents on one subject, of which only the last ones match the filters below.
  for (let i = 0; i < 20; i++) {
    await addText(
      server,
      storeId,
      `note-${i}.md`,
      `Note ${i}: the harbour is closed when the wind is strong. Berth ${i}.`,
      {
        number: i,
        team: i % 2 === 0 ? "even" : "odd",
        draft: i < 18,
      },
    );
  }
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

const names = async (body: Record<string, unknown>) =>
  (await search(server, storeId, { query: "harbour wind", max_num_results: 50, ...body }))
    .map((hit) => hit.filename)
    .toSorted();

test.each([
  ["eq", { type: "eq", key: "draft", value: false }, ["note-18.md", "note-19.md"]],
  ["ne keeps what lacks the key", { type: "ne", key: "nothing", value: 1 }, 20],
  ["gt", { type: "gt", key: "number", value: 17 }, ["note-18.md", "note-19.md"]],
  [
    "gte and lt",
    {
      type: "and",
      filters: [
        { type: "gte", key: "number", value: 5 },
        { type: "lt", key: "number", value: 7 },
      ],
    },
    ["note-5.md", "note-6.md"],
  ],
  ["lte", { type: "lte", key: "number", value: 0 }, ["note-0.md"]],
  ["in", { type: "in", key: "number", value: [3, 4, 99] }, ["note-3.md", "note-4.md"]],
  ["nin", { type: "nin", key: "team", value: ["odd"] }, 10],
  [
    "or inside and",
    {
      type: "and",
      filters: [
        { type: "eq", key: "team", value: "even" },
        {
          type: "or",
          filters: [
            { type: "eq", key: "number", value: 2 },
            { type: "eq", key: "number", value: 3 },
          ],
        },
      ],
    },
    ["note-2.md"],
  ],
  ["text never equals a number", { type: "eq", key: "number", value: "3" }, []],
  ["the plain form", { team: "odd", draft: false }, ["note-19.md"]],
  ["nothing matches", { type: "eq", key: "team", value: "none" }, []],
])("filter: %s", async (_, filters, expected) => {
  const found = await names({ filters });
  if (typeof expected === "number") expect(found).toHaveLength(expected);
  else expect(found).toEqual(expected);
});

test("the filter is applied before the cut: the only match of a whole store is found with one result asked for", async () => {
  const hits = await search(server, storeId, {
    query: "harbour",
    max_num_results: 1,
    filters: { type: "eq", key: "number", value: 13 },
  });
  expect(hits.map((hit) => hit.filename)).toEqual(["note-13.md"]);
});

test.each(["hybrid", "vector", "keyword"])(
  "mode %s finds the harbour, with scores from 0 to 1 in falling order",
  async (search_mode) => {
    const hits = await search(server, storeId, { query: "harbour closed strong wind", search_mode });
    expect(hits).toHaveLength(10);
    const scores = hits.map((hit) => hit.score);
    expect(scores).toEqual(scores.toSorted((a, b) => b - a));
    for (const score of scores) expect(score >= 0 && score <= 1).toBe(true);
  },
);

test("several queries give one answer that names them all", async () => {
  const page = await json<{
    search_query: string[];
    data: unknown[];
    object: string;
    has_more: boolean;
    next_page: null;
  }>(server, "POST", `/v1/vector_stores/${storeId}/search`, { query: ["harbour", "berth 7"], max_num_results: 3 });
  expect(page).toMatchObject({ object: "vector_store.search_results.page", search_query: ["harbour", "berth 7"] });
  expect(page.data).toHaveLength(3);
});

test("a threshold cuts and a detached file is not found again", async () => {
  expect(await search(server, storeId, { query: "harbour", ranking_options: { score_threshold: 1 } })).toEqual([]);
  const fileId = await addText(server, storeId, "gone.md", "A zebra crossed the quay.");
  expect((await search(server, storeId, { query: "zebra quay" }))[0]?.filename).toBe("gone.md");
  await json(server, "DELETE", `/v1/files/${fileId}`);
  expect((await search(server, storeId, { query: "zebra quay" })).map((hit) => hit.filename)).not.toContain("gone.md");
});

test("a long document's hit says where it stands: the offsets cut its text out of the content", async () => {
  const sections = Array.from(
    { length: 60 },
    (_, i) =>
      `## Section ${i}\n\n${`Sentence ${i} about stones and rivers. `.repeat(20)}\n\nThe keyword of it is plover${i}. 🐦\n`,
  );
  const id = await upload(server, "long.md", sections.join("\n"));
  await json(server, "POST", `/v1/vector_stores/${storeId}/files`, { file_id: id });
  expect((await settled(server, storeId, id)).status).toBe("completed");
  const [hit] = (await search(server, storeId, { query: "plover42", filters: { filename: "long.md" } })) as (Awaited<
    ReturnType<typeof search>
  >[number] & { start_offset: number; end_offset: number; chunk_id: string })[];
  expect(hit?.content[0]?.text).toContain("plover42");
  expect(hit?.chunk_id).toStartWith("chunk_");
  const content = await json<{ data: { text: string }[] }>(
    server,
    "GET",
    `/v1/vector_stores/${storeId}/files/${id}/content`,
  );
  const points = [...content.data.map((part) => part.text).join("")];
  expect(points.slice(hit?.start_offset, hit?.end_offset).join("")).toBe(hit?.content[0]?.text ?? "");
});
