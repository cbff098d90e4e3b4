/** What has a time, with the clock moved by the file that LECTERN_TEST_CLOCK_FILE names. */
import { expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { addText, errorOf, json, newStore, refusal, upload } from "../helpers/api.ts";
import { runLectern, startServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait.ts";

const HOUR = 3600;
const DAY = 24 * HOUR;

async function movable() {
  const dir = tempDir();
  const file = dir.join("clock");
  const move = (seconds: number) => writeFileSync(file, `${seconds}\n`);
  move(0);
  const env = { LECTERN_TEST_CLOCK_FILE: file };
  const server = await startServer({ env });
  return {
    server,
    move,
    env,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      dir[Symbol.dispose]();
    },
  };
}

interface Store {
  status: string;
  created_at: number;
  expires_at: number;
  last_active_at: number;
  file_counts: { total: number };
  metadata: unknown;
}

test.concurrent("a store expires after its days without activity, keeps its metadata, and loses its data after a grace period", async () => {
  await using place = await movable();
  const { server, move } = place;
  const id = await newStore(server, {
    expires_after: { anchor: "last_active_at", days: 2 },
    metadata: { team: "harbour" },
  });
  await addText(server, id, "tides.txt", "Tides follow the moon.");
  const path = `/v1/vector_stores/${id}`;
  const store = () => json<Store>(server, "GET", path);
  const hits = () => json<{ data: unknown[] }>(server, "POST", `${path}/search`, { query: "tides" });

  const first = await store();
  expect(first.expires_at).toBe(first.last_active_at + 2 * DAY);
  move(1.5 * DAY);
  expect((await hits()).data).toHaveLength(1);
  // The search was activity: a day and a half later it is still there, and attaching is activity again.
  move(3 * DAY);
  const second = await store();
  expect(second.status).toBe("completed");
  expect(second.expires_at - first.expires_at).toBeWithin(1.5 * DAY, 1.5 * DAY + 60);
  const other = await upload(server, "bread.txt", "Bread needs time.");
  await json(server, "POST", `${path}/files`, { file_id: other });

  move(5 * DAY + HOUR);
  expect(await store()).toMatchObject({ status: "expired", metadata: { team: "harbour" } });
  const words = { status: 400, type: "invalid_request_error", message: `Vector store '${id}' has expired` };
  expect(await refusal(server, "POST", `${path}/search`, { query: "tides" })).toMatchObject(words);
  expect(await refusal(server, "POST", `${path}/files`, { file_id: other })).toMatchObject(words);
  expect(await refusal(server, "POST", `${path}/file_batches`, { file_ids: [other] })).toMatchObject(words);

  // Without an expiry it lives on as long as its data is there.
  expect(await json<Store>(server, "POST", path, { expires_after: null })).toMatchObject({ expires_at: null });
  expect((await hits()).data.length).toBeGreaterThan(0);
  await json(server, "POST", path, { expires_after: { anchor: "last_active_at", days: 1 } });
  move(14 * DAY);
  expect(await store()).toMatchObject({ status: "expired", metadata: { team: "harbour" } });
  await waitFor("its files have left it", async () => ((await store()).file_counts.total === 0 ? true : undefined));
  expect(await json<{ id: string }>(server, "GET", `/v1/files/${other}`)).toMatchObject({ id: other });
});

test.concurrent("a file is gone for everybody the second it expires, and then from its stores", async () => {
  await using place = await movable();
  const { server, move } = place;
  const form = new FormData();
  form.set("file", new Blob(["Tides follow the moon."]), "tides.txt");
  form.set("purpose", "assistants");
  form.set("expires_after[anchor]", "created_at");
  form.set("expires_after[seconds]", String(HOUR));
  const made = await server.fetch("/v1/files", { method: "POST", body: form });
  const file = (await made.json()) as { id: string; created_at: number; expires_at: number };
  expect(file.expires_at).toBe(file.created_at + HOUR);
  const id = await newStore(server, { file_ids: [file.id] });
  const listed = async () => (await json<{ data: { id: string }[] }>(server, "GET", "/v1/files")).data.length;
  expect(await listed()).toBe(1);

  move(HOUR + 1);
  for (const path of [`/v1/files/${file.id}`, `/v1/files/${file.id}/content`]) {
    expect(await refusal(server, "GET", path)).toMatchObject({ status: 404 });
  }
  expect(await listed()).toBe(0);
  expect(
    await refusal(server, "POST", `/v1/vector_stores/${await newStore(server)}/files`, { file_id: file.id }),
  ).toMatchObject({ status: 404, code: "file_not_found" });
  await waitFor("it has left its store", async () => {
    const { data } = await json<{ data: unknown[] }>(server, "GET", `/v1/vector_stores/${id}/files`);
    return data.length === 0 || undefined;
  });
  const found = await json<{ data: unknown[] }>(server, "POST", `/v1/vector_stores/${id}/search`, { query: "tides" });
  expect(found.data).toEqual([]);
});

test.concurrent("an upload takes parts for an hour", async () => {
  await using place = await movable();
  const { server, move } = place;
  const whole = { filename: "parts.txt", purpose: "assistants", bytes: 5, mime_type: "text/plain" };
  const made = await json<{ id: string; created_at: number; expires_at: number }>(server, "POST", "/v1/uploads", whole);
  expect(made.expires_at).toBe(made.created_at + HOUR);
  const part = () => {
    const form = new FormData();
    form.set("data", new Blob(["parts"]), "part");
    return server.fetch(`/v1/uploads/${made.id}/parts`, { method: "POST", body: form });
  };
  move(HOUR - 60);
  const kept = (await (await part()).json()) as { id: string };
  expect(kept.id).toStartWith("part_");
  move(HOUR + 1);
  expect(await errorOf(await part())).toMatchObject({ status: 400, code: "upload_not_pending" });
  for (const [step, body] of [["complete", { part_ids: [kept.id] }], ["cancel"]] as const) {
    expect(await refusal(server, "POST", `/v1/uploads/${made.id}/${step}`, body)).toMatchObject({ status: 400 });
  }
});

test.concurrent("doctor says that the clock is moved", async () => {
  await using place = await movable();
  const { server, env, move } = place;
  move(365 * DAY);
  const made = await json<Store>(server, "POST", "/v1/vector_stores", {});
  expect(made.created_at - Date.now() / 1000).toBeWithin(365 * DAY - 60, 365 * DAY + 60);
  const args = ["doctor", "--data", server.dataDir];
  const moved = await runLectern(args, { env });
  expect([moved.status, moved.out]).toEqual([0, expect.stringMatching(/^warn +clock +.*LECTERN_TEST_CLOCK_FILE/m)]);
  expect((await runLectern(args)).out).toMatch(/^ok +clock /m);
});
