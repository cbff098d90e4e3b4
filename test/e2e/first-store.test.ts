/** The first store that somebody makes: one long file and the product's default model. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { respond } from "../eval/answers.ts";
import { json, upload } from "../helpers/api.ts";
import { PRODUCT_DEFAULT, ROOT, startServer, type TestServer } from "../helpers/server.ts";
import { waitFor } from "../helpers/wait.ts";

const FILE = "past-one-machine.md";

let server: TestServer;
let store: string;

beforeAll(async () => {
  server = await startServer({ args: ["--log-level", "error"], env: PRODUCT_DEFAULT });
  const file = await upload(server, FILE, await Bun.file(join(ROOT, "test/fixtures/first-store", FILE)).text());
  store = (await json<{ id: string }>(server, "POST", "/v1/vector_stores", { file_ids: [file] })).id;
  await waitFor("the file to be indexed", async () => {
    const { file_counts: counts } = await json<{ file_counts: { completed: number } }>(
      server,
      "GET",
      `/v1/vector_stores/${store}`,
    );
    return counts.completed === 1 ? true : undefined;
  });
}, 240_000);
afterAll(() => server.stop());

describe("answers what the file has", () => {
  test.each([
    ["What happens when the database is away?", "`/readyz` is 503 with the reason"],
    ["How much memory do I need to search ten million chunks?", "| 10,000,000 | 49 GB"],
    ["Can I put PgBouncer in front of the database?", "**PgBouncer** in session mode"],
  ])("%s", async (question, passage) => {
    const { kind, results } = await respond(server, store, question);
    expect({ kind, isThere: results[0]?.text.replaceAll(/\s+/g, " ").includes(passage) }).toEqual({
      kind: "answer",
      isThere: true,
    });
  });
});

describe("refuses what is about something else", () => {
  test.each([
    "How many days of holiday do I have in my first year?",
    "What temperature should I roast a chicken at?",
    "How do I prune roses in winter?",
    "Who won the football world cup in 1998?",
  ])("%s", async (question) => {
    const { kind } = await respond(server, store, question);
    expect(kind).toBe("nothing");
  });
});
