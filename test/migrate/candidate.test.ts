/** The index of a migration that waits for a decision is searched beside the live one, until that is made. */
import { expect, test } from "bun:test";
import { addText, json, refusal } from "../helpers/api.ts";
import { startServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { addSecondModel, ask, buildStore, migrationEnd, QUESTIONS, SECOND_MODEL, startMigration } from "./corpus.ts";

const RECHUNKED = { type: "static", static: { max_chunk_size_tokens: 150, chunk_overlap_tokens: 20 } };

const COMET = "the comet of ice";

interface Page {
  data: { filename: string; start_offset: number; score: number }[];
}

test("what the candidate answers is what the store answers once it is live", async () => {
  using dir = tempDir();
  await addSecondModel(dir.join("data"));
  await using server = await startServer({ dataDir: dir.join("data"), args: ["--log-level", "warn"] });
  const store = await buildStore(server, { files: 3, chunksEach: 10 });
  const { id } = await startMigration(server, store, { dry_run: true, chunking_strategy: RECHUNKED });
  const path = `/v1/vector_stores/${store}`;
  const asked = (query: string) => ({ query, search_mode: "vector", max_num_results: 10, migration_id: id });
  // Before it is ready it is refused, and says what it is.
  const early = await refusal(server, "POST", `${path}/search`, asked("x")).catch(() => null);
  if (early !== null) expect(early).toMatchObject({ status: 409, code: "migration_not_searchable" });
  expect((await migrationEnd(server, store, id)).status).toBe("ready");
  // What is attached from now on is in the candidate when it goes live, and not before.
  await addText(server, store, "late.txt", "The comet near the comet follows tails of ice.");
  const ofCandidate = async (query: string) => {
    const { data } = await json<Page>(server, "POST", `${path}/search`, asked(query));
    return data.map((hit) => `${hit.filename}@${hit.start_offset}=${hit.score.toFixed(3)}`);
  };
  const live = await Promise.all(QUESTIONS.map((query) => ask(server, store, query)));
  const candidate = await Promise.all(QUESTIONS.map(ofCandidate));
  expect(live.map(({ generation }) => generation)).toEqual(QUESTIONS.map(() => "1"));
  expect(candidate).not.toEqual(live.map(({ hits }) => hits));
  expect((await ask(server, store, COMET)).hits[0]).toStartWith("late.txt@");
  expect((await ofCandidate(COMET)).filter((hit) => hit.startsWith("late.txt"))).toEqual([]);

  await json(server, "POST", `${path}/migrations/${id}/promote`);
  const { to } = await migrationEnd(server, store, id, (status) => status === "completed");
  const after = await Promise.all(QUESTIONS.map((query) => ask(server, store, query)));
  expect(after).toEqual(candidate.map((hits) => ({ generation: String(to.generation), hits })));
  expect((await ask(server, store, COMET)).hits[0]).toStartWith("late.txt@");
  expect(await refusal(server, "POST", `${path}/search`, asked("x"))).toMatchObject({
    status: 409,
    code: "migration_not_searchable",
    param: "migration_id",
  });
  const index = await json<{ index: { model: string } }>(server, "GET", path);
  expect(index.index.model).toBe(SECOND_MODEL);
}, 180_000);
