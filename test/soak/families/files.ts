/** Files, uploads in parts, stores and batches, by the official client and by fetch. */
import { toFile } from "openai";
import {
  addText,
  type Episode,
  type Identified,
  indexed,
  newStore,
  newWord,
  paragraph,
  searchFor,
  sendFile,
  textForm,
  textOfHit,
} from "../episode.ts";
import { must, same } from "../wrong.ts";

const files: Episode = {
  family: "files",
  async run({ ask, random }) {
    const text = paragraph(newWord(random), random);
    const name = `${ask.name}-note.txt`;
    const made = await ask.by("create a file", async (client) =>
      client.files.create({ file: await toFile(Buffer.from(text), name), purpose: "assistants" }),
    );
    same("the file", [made.filename, made.bytes, made.status], [name, text.length, "processed"]);
    same("the same file", (await ask.by("retrieve it", (client) => client.files.retrieve(made.id))).id, made.id);
    same("its text", await ask.text("GET", `/v1/files/${made.id}/content`), text);
    const page = await ask.by("list files", (client) => client.files.list({ limit: 20, order: "desc" }));
    must("the newest files have it", page.data.length >= 1);
    const gone = await ask.by("delete it", (client) => client.files.delete(made.id));
    same("deleted", [gone.id, gone.deleted], [made.id, true]);
    await ask.refused([404], "GET", `/v1/files/${made.id}`);
    await ask.refused([404], "GET", `/v1/files/${made.id}/content`);
  },
};

const uploads: Episode = {
  family: "uploads",
  async run({ ask, random, house }) {
    const parts = Array.from({ length: 3 }, () => paragraph(newWord(random), random));
    const bytes = parts.join("").length;
    const whole = { filename: `${ask.name}-parts.txt`, purpose: "assistants", bytes, mime_type: "text/plain" };
    const before = house.happened.clock;
    const { id } = await ask.json<Identified>("POST", "/v1/uploads", whole);
    const ids: string[] = [];
    for (const part of parts) {
      const form = new FormData();
      form.set("data", new Blob([part]), "part");
      ids.push((await ask.json<Identified>("POST", `/v1/uploads/${id}/parts`, form)).id);
    }
    // Its parts are taken for an hour.
    if (house.happened.clock !== before) return;
    const done = await ask.json<{ status: string; file: Identified }>("POST", `/v1/uploads/${id}/complete`, {
      part_ids: ids,
    });
    same("complete", done.status, "completed");
    same("the parts in order", await ask.text("GET", `/v1/files/${done.file.id}/content`), parts.join(""));
    await ask.json("DELETE", `/v1/files/${done.file.id}`);
    const other = await ask.json<Identified>("POST", "/v1/uploads", whole);
    const cancelled = await ask.json<{ status: string }>("POST", `/v1/uploads/${other.id}/cancel`);
    same("cancelled", cancelled.status, "cancelled");
    await ask.refused([400], "POST", `/v1/uploads/${other.id}/complete`, { part_ids: [] });
  },
};

const stores: Episode = {
  family: "stores",
  async run({ ask, random }) {
    const word = newWord(random);
    const store = await newStore(ask, { metadata: { owner: word } });
    const file = await addText(ask, store, "one.txt", paragraph(word, random));
    const found = await ask.by("stores by name", (client) =>
      client.vectorStores.list({ limit: 5, name: `${ask.name}-store` } as object),
    );
    must(
      "listed",
      found.data.some(({ id }) => id === store),
      found.data.length,
    );
    const updated = await ask.by("modify it", (client) =>
      client.vectorStores.update(store, { name: `${ask.name}-renamed`, metadata: { owner: "two" } }),
    );
    same("modified", [updated.name, updated.metadata], [`${ask.name}-renamed`, { owner: "two" }]);
    const retrieved = await ask.by("retrieve it", (client) => client.vectorStores.retrieve(store));
    same("counts", [retrieved.file_counts.completed, retrieved.metadata], [1, { owner: "two" }]);
    const path = `/v1/vector_stores/${store}`;
    const listed = await ask.json<{ data: Identified[] }>("GET", `${path}/files?limit=10`);
    same(
      "its files",
      listed.data.map(({ id }) => id),
      [file],
    );
    const stats = await ask.json<{ store: { files: number } }>("GET", `${path}/stats`);
    same("its statistics", stats.store.files, 1);
    await ask.json("POST", `${path}/files/${file}`, { attributes: { topic: "tides" } });
    const { data } = await ask.json<{ data: { key: string }[] }>("GET", `${path}/attributes`);
    same(
      "its attributes",
      data.map(({ key }) => key),
      ["topic"],
    );
    await ask.json("POST", `/v1/admin/vector_stores/${store}/suspend`);
    await ask.refused([402], "POST", `${path}/search`, { query: word });
    await ask.json("POST", `/v1/admin/vector_stores/${store}/resume`);
    const [hit] = await searchFor(ask, store, { query: word, search_mode: "keyword" });
    same("it searches again", hit?.file_id, file);
    await ask.json("DELETE", `${path}/files/${file}`);
    same("detached", await searchFor(ask, store, { query: word, search_mode: "keyword" }), []);
    same("and still a file", (await ask.json<Identified>("GET", `/v1/files/${file}`)).id, file);
    await ask.json("DELETE", path);
    await ask.refused([404], "GET", path);
    await ask.json("DELETE", `/v1/files/${file}`);
  },
};

const batches: Episode = {
  family: "batches",
  async run({ ask, random }) {
    const store = await newStore(ask);
    const words = Array.from({ length: 5 }, () => newWord(random));
    const ids: string[] = [];
    for (const [i, word] of words.entries()) ids.push(await sendFile(ask, `${i}.md`, paragraph(word, random)));
    const path = `/v1/vector_stores/${store}`;
    const { id } = await ask.json<Identified>("POST", `${path}/file_batches`, {
      file_ids: ids,
      attributes: { batch: 1 },
    });
    // Followed until it ends.
    const followed = await ask.text("GET", `${path}/file_batches/${id}/events`);
    must("the events of a batch", followed.includes("event:") || followed.includes("data:"), followed.slice(0, 300));
    for (const file of ids) await indexed(ask, store, file);
    const batch = await ask.json<{ file_counts: { completed: number; total: number } }>(
      "GET",
      `${path}/file_batches/${id}`,
    );
    same("the batch", [batch.file_counts.completed, batch.file_counts.total], [5, 5]);
    const listed = await ask.json<{ data: Identified[] }>("GET", `${path}/file_batches/${id}/files?limit=20`);
    same("its files", listed.data.map((one) => one.id).toSorted(), ids.toSorted());
    for (const [i, word] of words.entries())
      same(
        `who has ${word}`,
        (await searchFor(ask, store, { query: word, search_mode: "keyword" }))[0]?.file_id,
        ids[i],
      );
    const more = await sendFile(ask, "more.txt", paragraph(newWord(random), random).repeat(30));
    const second = await ask.json<Identified>("POST", `${path}/file_batches`, { file_ids: [more] });
    await ask.json("POST", `${path}/file_batches/${second.id}/cancel`);
    await ask.by("poll", (client) => client.vectorStores.fileBatches.poll(store, second.id));
    const { status } = await ask.json<{ status: string }>("GET", `${path}/files/${more}`);
    must("what was cancelled is, or had ended", ["cancelled", "completed"].includes(status), status);
    if (status === "cancelled") await ask.json("POST", `${path}/files/${more}/retry`);
    await indexed(ask, store, more);
    await ask.json("DELETE", path);
    for (const file of [...ids, more]) await ask.json("DELETE", `/v1/files/${file}`);
    await ask.refused([404], "POST", `${path}/search`, { query: words[0] });
  },
};

const events: Episode = {
  family: "events",
  async run({ ask, random, house }) {
    const store = await newStore(ask);
    const path = `/v1/vector_stores/${store}`;
    const word = newWord(random);
    const long = Array.from({ length: 60 }, () => paragraph(newWord(random), random)).join("\n\n");
    const file = await sendFile(ask, "long.txt", `${paragraph(word, random)}\n\n${long}`);
    await ask.json("POST", `${path}/files`, { file_id: file });
    const { mark } = house;
    await ask.guarded("events of a store", mark, async () => {
      const response = await ask.raw("GET", `${path}/events?follow=true`);
      if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
      const reader = response.body?.getReader();
      await reader?.read();
      // Broken off by the client.
      await reader?.cancel();
    });
    // It may be done before.
    await ask.refused([200, 409], "POST", `${path}/files/${file}/cancel`);
    await ask.until("it is cancelled or was done", async () => {
      const { status } = await ask.json<{ status: string }>("GET", `${path}/files/${file}`);
      if (status === "cancelled") await ask.json("POST", `${path}/files/${file}/retry`);
      return status === "in_progress" ? undefined : true;
    });
    await indexed(ask, store, file);
    const [hit] = await searchFor(ask, store, { query: word, search_mode: "keyword" });
    must("the first paragraph is found", textOfHit(hit).includes(word));
    await ask.json("DELETE", path);
    await ask.json("DELETE", `/v1/files/${file}`);
  },
};

/** Files that expire an hour after they were made, by the server's clock, and are not seen to be gone yet. */
const short: { id: string; expiresAt: number }[] = [];
/** The clock goes back by less than that. */
const MARGIN_S = 120;

const expiring: Episode = {
  family: "expiring files",
  async run({ ask, random, house }) {
    const form = textForm(`short-${ask.name}.txt`, paragraph(newWord(random), random));
    form.set("expires_after[anchor]", "created_at");
    form.set("expires_after[seconds]", "3600");
    const made = await ask.json<{ id: string; expires_at: number }>("POST", "/v1/files", form);
    short.push({ id: made.id, expiresAt: made.expires_at });
    const [oldest] = short;
    if (oldest === undefined) return;
    const { id, expiresAt } = oldest;
    const before = house.happened.clock;
    const isOver = house.nowSeconds > expiresAt + MARGIN_S;
    const isThere = house.nowSeconds < expiresAt - MARGIN_S;
    const status = await ask.refused([200, 404], "GET", `/v1/files/${id}`);
    if (house.happened.clock !== before) return;
    if (isOver || isThere) same(`the file ${id} is there until it expires`, status, isOver ? 404 : 200);
    const at = short.indexOf(oldest);
    if (isOver && at >= 0) short.splice(at, 1);
  },
};

export const FILE_FAMILIES: readonly Episode[] = [files, uploads, stores, batches, events, expiring];
