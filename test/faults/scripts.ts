/** Every kind of write, each as short as can be: what is prepared without a fault, and what is then asked for. */
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { openManifest } from "../../src/index/generation.ts";
import { type Answered, type Desk, Finding } from "./desk.ts";
import { waitFor } from "../helpers/wait.ts";

export interface Script {
  name: string;
  /** What it needs once, and what is no write of its kind. */
  ready?(desk: Desk): Promise<unknown>;
  /** Without a fault. What it answers is handed to `run`. */
  prepare(desk: Desk): Promise<string[]>;
  /** Asks, and keeps what was acknowledged. May be asked again with the same subjects after an error. */
  run(desk: Desk, subjects: string[]): Promise<Answered<unknown>>;
  /** Waits for the work that `run` began, with a disk that may still fail: it may not come to its end. */
  settle?(desk: Desk, subjects: string[]): Promise<void>;
}

const WAIT_MS = 6_000;
const DUE_MS = 250;
/** As many as have a graph, by the desk's settings. */
const GRAPHED = 110;

/** Some hundred words of which one is nowhere else. */
const textWith = (word: string) =>
  `# About ${word}\n\nThe word ${word} stands here once. ${"Rivers, bridges and the weather of the week. ".repeat(8)}`;

/** Some forty chunks of the least size, each with the word: a file is found by its name, too. */
const longTextWith = (word: string) =>
  Array.from({ length: 45 }, (_, i) => `Part ${i} of it. ${`There is more of ${word}. `.repeat(8)}`).join("\n\n");
const LONG_CHUNKED = {
  text: longTextWith,
  more: { chunking_strategy: { type: "static", static: { max_chunk_size_tokens: 100, chunk_overlap_tokens: 0 } } },
};

const SHORT = { text: textWith, more: {} };

type TextOf = (word: string) => string;

async function uploadFile(desk: Desk, text: TextOf = textWith): Promise<Answered<{ id: string; word: string }>> {
  const word = desk.newWord();
  const form = new FormData();
  form.set("purpose", "assistants");
  form.set("file", new Blob([text(word)]), `${word}.txt`);
  const answer = await desk.ask<{ id: string }>("POST", "/v1/files", form);
  if (!answer.ok) return answer;
  desk.note((known) => void known.files.set(answer.value.id, text(word)));
  return { ok: true, value: { id: answer.value.id, word } };
}

async function preparedFile(desk: Desk, text?: TextOf): Promise<string[]> {
  const answer = await uploadFile(desk, text);
  if (!answer.ok) throw new Finding(`without a fault, the upload: ${answer.status} ${answer.message}`);
  return [answer.value.id, answer.value.word];
}

async function preparedStore(desk: Desk): Promise<string> {
  const { id } = await desk.must<{ id: string }>("POST", "/v1/vector_stores", { name: "faults" });
  desk.note((known) => void known.stores.add(id));
  return id;
}

const oneStore = new WeakMap<Desk, Promise<string>>();
/** The same for all that only needs one. */
function theStore(desk: Desk): Promise<string> {
  let store = oneStore.get(desk);
  if (store === undefined) oneStore.set(desk, (store = preparedStore(desk)));
  return store;
}

async function attach(desk: Desk, store: string, [file, word]: string[], more = {}): Promise<Answered<unknown>> {
  const answer = await desk.ask("POST", `/v1/vector_stores/${store}/files`, { file_id: file, ...more });
  if (answer.ok) desk.note((known) => void known.attached.set(file ?? "", { store, word: word ?? "" }));
  return answer;
}

/** As a batch; `files`: id and word of each. */
async function attachAll(desk: Desk, store: string, files: string[], more = {}): Promise<Answered<unknown>> {
  const ids = files.filter((_, i) => i % 2 === 0);
  const answer = await desk.ask("POST", `/v1/vector_stores/${store}/file_batches`, { file_ids: ids, ...more });
  if (!answer.ok) return answer;
  for (const [i, id] of ids.entries())
    desk.note((known) => void known.attached.set(id, { store, word: files[2 * i + 1] ?? "" }));
  return answer;
}

async function preparedAttached(desk: Desk, store: string, { text, more } = SHORT): Promise<string[]> {
  const subjects = await preparedFile(desk, text);
  const answer = await attach(desk, store, subjects, more);
  if (!answer.ok) throw new Finding(`without a fault, the attach: ${answer.status} ${answer.message}`);
  await desk.settled(store, subjects[0] ?? "");
  return subjects;
}

/** Texts about a word that stands in each of them. */
async function insert(desk: Desk, store: string, count: number): Promise<Answered<unknown>> {
  const word = desk.newWord();
  const embeddings = Array.from({ length: count }, (_, i) => ({ content: `Passage ${i} of ${word}.` }));
  const answer = await desk.ask("POST", `/v1/vector_stores/${store}/embeddings/batch`, { embeddings });
  if (answer.ok) desk.note((known) => void known.inserted.set(word, store));
  return answer;
}

async function mustInsert(desk: Desk, store: string, count: number): Promise<void> {
  const answer = await insert(desk, store, count);
  if (!answer.ok) throw new Finding(`without a fault, the insert: ${answer.status} ${answer.message}`);
}

const folderOf = (desk: Desk, store: string) => join(desk.dataDir, "stores", store);
const namesIn = (folder: string) => (existsSync(folder) ? readdirSync(folder) : []);

/** Vectors in the graph of a store, by its manifests. */
function inGraph(desk: Desk, store: string): number {
  const folder = folderOf(desk, store);
  const parts = namesIn(folder).flatMap((name) => openManifest(join(folder, name)) ?? []);
  return parts.reduce((sum, { vectors }) => sum + vectors, 0);
}

/** A search is what opens an index. */
const search = (desk: Desk, store: string) =>
  desk.ask("POST", `/v1/vector_stores/${store}/search`, { query: "passage", max_num_results: 1 });

const imagesOf = (desk: Desk, store: string) =>
  namesIn(folderOf(desk, store))
    .filter((name) => name.endsWith(".image"))
    .map((name) => join(folderOf(desk, store), name));

const imaged = new WeakMap<Desk, string>();
/** One that is large enough for an image of its index. */
async function theLargeStore(desk: Desk): Promise<string> {
  let store = imaged.get(desk);
  if (store === undefined) {
    imaged.set(desk, (store = await preparedStore(desk)));
    for (let i = 0; i < LARGE / INSERTED_AT_ONCE; i++) await mustInsert(desk, store, INSERTED_AT_ONCE);
  }
  return store;
}
const LARGE = 2_000;
const INSERTED_AT_ONCE = 200;

/** As long as the server lives; what does not happen is looked at again after the restart. */
async function within(desk: Desk, probe: () => Promise<boolean>): Promise<void> {
  const until = performance.now() + WAIT_MS;
  let dueAt = performance.now() + DUE_MS;
  await waitFor("it settles", async () => {
    if ((await probe().catch(() => false)) || performance.now() > until || !desk.isRunning) return true;
    // What failed waits for its next turn; that it comes needs no waiting.
    if (desk.control.hits > 0 && performance.now() > dueAt) {
      desk.moveClock();
      dueAt = performance.now() + DUE_MS;
    }
    return undefined;
  });
}

const isIndexed = async (desk: Desk, store: string) => {
  const answer = await desk.ask<{ file_counts: { in_progress: number } }>("GET", `/v1/vector_stores/${store}`);
  return answer.ok && answer.value.file_counts.in_progress === 0;
};

/** Everything that a job does is done. */
const isQuiet = async (desk: Desk) => {
  const metrics = await (await desk.server.fetch("/metrics")).text();
  return !/^lectern_jobs_(waiting|running)\{kind="(retire|migrate|catch_up|build_index|write_image|ingest|purge_\w+|delete\w*|finish\w*)"\} [1-9]/m.test(
    metrics,
  );
};

export const SCRIPTS: readonly Script[] = [
  { name: "upload", prepare: async () => [], run: (desk) => uploadFile(desk) },
  {
    name: "attach",
    prepare: async (desk) => [...(await preparedFile(desk)), await theStore(desk)],
    run: (desk, [file = "", word = "", store = ""]) => attach(desk, store, [file, word]),
    settle: (desk, [, , store = ""]) => within(desk, () => isIndexed(desk, store)),
  },
  {
    name: "batch",
    prepare: async (desk) => [await theStore(desk), ...(await preparedFile(desk)), ...(await preparedFile(desk))],
    run: (desk, [store = "", ...files]) => attachAll(desk, store, files),
    settle: (desk, [store = ""]) => within(desk, () => isIndexed(desk, store)),
  },
  {
    name: "insert",
    prepare: async (desk) => [await theStore(desk)],
    async run(desk, [store = ""]) {
      const words = [desk.newWord(), desk.newWord()];
      const answer = await desk.ask("POST", `/v1/vector_stores/${store}/embeddings/batch`, {
        embeddings: words.map((word) => ({ content: textWith(word) })),
      });
      if (answer.ok) desk.note((known) => words.forEach((word) => known.inserted.set(word, store)));
      return answer;
    },
  },
  {
    name: "delete file",
    prepare: async (desk) => await preparedAttached(desk, await theStore(desk)),
    async run(desk, [file = ""]) {
      // From here on it may be gone, answered or not.
      desk.note((known) => void known.files.delete(file));
      desk.note((known) => void known.attached.delete(file));
      const answer = await desk.ask("DELETE", `/v1/files/${file}`);
      if (answer.ok) desk.note((known) => void known.deletedFiles.add(file));
      return answer;
    },
    settle: (desk) => within(desk, () => isQuiet(desk)),
  },
  {
    name: "delete store",
    async prepare(desk) {
      const store = await preparedStore(desk);
      const [file = ""] = await preparedAttached(desk, store);
      return [store, file];
    },
    async run(desk, [store = "", file = ""]) {
      desk.note((known) => void known.stores.delete(store));
      desk.note((known) => void known.attached.delete(file));
      const answer = await desk.ask("DELETE", `/v1/vector_stores/${store}`);
      if (answer.ok) desk.note((known) => void known.deletedStores.add(store));
      return answer;
    },
    settle: (desk) => within(desk, () => isQuiet(desk)),
  },
  {
    name: "migrate",
    async prepare(desk) {
      const store = await preparedStore(desk);
      await preparedAttached(desk, store);
      return [store];
    },
    run: (desk, [store = ""]) => desk.ask("POST", `/v1/vector_stores/${store}/migrate`, { embedding_model: "second" }),
    settle: (desk) => within(desk, () => isQuiet(desk)),
  },
  {
    name: "graph",
    async prepare(desk) {
      const store = await preparedStore(desk);
      return [store];
    },
    run: (desk, [store = ""]) => insert(desk, store, GRAPHED),
    settle: (desk, [store = ""]) =>
      within(desk, async () => {
        await search(desk, store);
        const answer = await desk.ask<{ index?: { type: string } }>("GET", `/v1/vector_stores/${store}`);
        return answer.ok && answer.value.index?.type === "hnsw" && (await isQuiet(desk));
      }),
  },
  {
    // What is new is built into the graph that there is.
    name: "merge",
    async prepare(desk) {
      const store = await preparedStore(desk);
      await mustInsert(desk, store, GRAPHED);
      await waitFor("the graph is there", async () => {
        await search(desk, store);
        return inGraph(desk, store) >= GRAPHED ? true : undefined;
      });
      return [...(await preparedFile(desk, LONG_CHUNKED.text)), store];
    },
    run: (desk, [file = "", word = "", store = ""]) => attach(desk, store, [file, word], LONG_CHUNKED.more),
    settle: (desk, [, , store = ""]) =>
      within(desk, async () => {
        await search(desk, store);
        return (await isIndexed(desk, store)) && inGraph(desk, store) >= GRAPHED + 20 && (await isQuiet(desk));
      }),
  },
  {
    // The image of a large index is gone, and is written anew.
    name: "image",
    ready: theLargeStore,
    async prepare(desk) {
      const subjects = [await theLargeStore(desk)];
      for (let i = 0; i < 4; i++) subjects.push(...(await preparedFile(desk, LONG_CHUNKED.text)));
      return subjects;
    },
    async run(desk, [store = "", ...files]) {
      for (const path of imagesOf(desk, store)) rmSync(path);
      const answer = await search(desk, store);
      if (!answer.ok) return answer;
      desk.moveClock();
      // Rows that come while it is written, and that nothing after them makes durable.
      return await attachAll(desk, store, files, LONG_CHUNKED.more);
    },
    settle: (desk, [store = ""]) => within(desk, async () => imagesOf(desk, store).length > 0 && (await isQuiet(desk))),
  },
  {
    name: "key",
    prepare: async () => [],
    async run(desk) {
      const answer = await desk.ask<{ id: string; key: string }>("POST", "/v1/admin/keys", {
        name: "of a fault",
        role: "read",
      });
      if (answer.ok) desk.note((known) => void known.keys.set(answer.value.id, answer.value.key));
      return answer;
    },
  },
  {
    name: "tenant",
    prepare: async () => [],
    async run(desk) {
      const answer = await desk.ask<{ id: string }>("POST", "/v1/admin/tenants", { name: "of a fault" });
      if (answer.ok) desk.note((known) => void known.tenants.add(answer.value.id));
      return answer;
    },
  },
  {
    name: "answer",
    async prepare(desk) {
      const store = await theStore(desk);
      await preparedAttached(desk, store);
      return [store];
    },
    async run(desk, [store = ""]) {
      const answer = await desk.ask<{ id: string }>("POST", "/v1/responses", {
        input: "When are refunds paid?",
        tools: [{ type: "file_search", vector_store_ids: [store] }],
      });
      if (answer.ok) desk.note((known) => void known.responses.set(answer.value.id, "fourteen days"));
      return answer;
    },
  },
];
