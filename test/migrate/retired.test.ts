import { expect, test } from "bun:test";
import { json, upload } from "../helpers/api.ts";
import { startServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait.ts";
import { addSecondModel, ask, buildStore, migrationEnd, SECOND_MODEL, startMigration } from "./corpus.ts";

interface Status {
  indexes: { open: number };
  queues: { kind: string; waiting: number; running: number }[];
}

test("a generation that is not kept leaves the memory, and what is deleted after it is proven gone", async () => {
  using dir = tempDir();
  await addSecondModel(dir.join("data"));
  await using server = await startServer({ dataDir: dir.join("data"), args: ["--log-level", "warn"] });
  const storeId = await buildStore(server, { files: 2, chunksEach: 5 });
  const extra = await upload(server, "extra.txt", "A text that goes again.");
  await json(server, "POST", `/v1/vector_stores/${storeId}/files`, { file_id: extra });
  for (const model of [SECOND_MODEL, "lectern-embed-en"]) {
    await ask(server, storeId, "river");
    const { id } = await startMigration(server, storeId, { embedding_model: model, retain_hours: 0 });
    expect((await migrationEnd(server, storeId, id)).status).toBe("completed");
  }
  await ask(server, storeId, "river");
  await waitFor("one index is in memory, and no job waits", async () => {
    const { indexes, queues } = await json<Status>(server, "GET", "/v1/admin/status");
    return indexes.open === 1 && queues.every(({ waiting, running }) => waiting + running === 0) ? true : undefined;
  });
  await json(server, "DELETE", `/v1/files/${extra}`);
  const deletion = await waitFor("the deletion is complete", async () => {
    const { data } = await json<{ data: { completed_at: number | null; remaining: Record<string, number> }[] }>(
      server,
      "GET",
      "/v1/admin/deletions",
    );
    return data[0]?.completed_at == null ? undefined : data[0];
  });
  expect(Object.values(deletion.remaining).every((count) => count === 0)).toBe(true);
});
