/** The example programs of docs/examples, run as they stand against a server. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { plainEnv, ROOT, runLectern, startServer } from "../helpers/server.ts";
import type { TestServer } from "../helpers/server.ts";
import { missingModules, PYTHON } from "./python.ts";
import { lacks } from "../helpers/lacks.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const HANDBOOK = join(ROOT, "docs/examples/handbook");
const KEY = "sk-examples-0123456789abcdef";

let server: TestServer;
beforeAll(async () => {
  server = await startServer({ env: { LECTERN_API_KEY: KEY } });
});
afterAll(async () => await server[Symbol.asyncDispose]());

async function run(program: string, words: readonly string[] = [], env: Record<string, string> = {}): Promise<string> {
  const child = Bun.spawn({
    cmd: [program.endsWith(".py") ? PYTHON : process.execPath, join(ROOT, "docs/examples", program), ...words],
    cwd: ROOT,
    env: plainEnv({ LECTERN_URL: server.url, LECTERN_API_KEY: KEY, ...env }),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err, status] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  expect({ status, err }).toMatchObject({ status: 0 });
  return out;
}

/** What the import programs have beside them. */
const SHARED = "vectors_to_lectern";

/** A test of a Python program, skipped by name where a package of it is missing. */
async function pythonTest(program: string, check: (out: string) => void): Promise<void> {
  const missing = await missingOf(program);
  if (missing.length > 0)
    test.skipIf(lacks(`the Python package ${missing.join(", ")}`, missing.length === 0))(program, async () =>
      check(await run(program)),
    );
}

async function missingOf(program: string): Promise<string[]> {
  const text = await Bun.file(join(ROOT, "docs/examples", program)).text();
  return missingModules(text).filter((name) => name !== SHARED);
}

const expectSearch = (out: string) => {
  expect(out).toStartWith("5 of 5 files indexed\n");
  expect(out).toMatch(/^0\.\d+ travel\.docx$/m);
};
const expectBread = (out: string) => expect(out).toMatch(/^0\.\d+ Bread needs flour, water, salt and time\.$/m);

test("search.ts", async () => expectSearch(await run("search.ts", [HANDBOOK])));
test("langchain.ts", async () => expectBread(await run("langchain.ts")));
await pythonTest("search.py", expectSearch);
await pythonTest("langchain.py", expectBread);

test("answer.ts hands the passages to a chat model and lists what they are from", async () => {
  const ingested = ["ingest", HANDBOOK, "--store", "handbook", "--url", server.url, "--key", KEY];
  expect((await runLectern(ingested)).status).toBe(0);
  const asked: string[] = [];
  using chat = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const { messages } = (await request.json()) as { messages: { content: string }[] };
      asked.push(messages[0]?.content ?? "");
      return Response.json({ choices: [{ message: { role: "assistant", content: "Within fourteen days [1]." } }] });
    },
  });
  const env = { CHAT_URL: `http://127.0.0.1:${chat.port}/v1` };
  const out = await run("answer.ts", ["handbook", "how long does a refund take"], env);
  expect(out).toStartWith("Within fourteen days [1].\n[1] refunds.md\n");
  expect(asked).toEqual([expect.stringMatching(/\[1\] refunds\.md: [^]*how long does a refund take$/)]);
});

/** Notes with the vectors that this server's own model gives them, as another store would have them. */
async function notes(): Promise<Note[]> {
  const texts = [
    "Tides follow the moon.",
    "Bread needs flour, water, salt and time.",
    "Ropes are made of\themp\nor \\nylon.",
  ];
  const response = await server.fetch("/v1/embeddings", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model: "text-embedding-3-small", input: texts }),
  });
  const { data } = (await response.json()) as { data: { embedding: number[] }[] };
  return texts.map((text, n) => ({
    id: `note-${n}`,
    text,
    vector: data[n]?.embedding ?? [],
    kind: n === 1 ? "food" : "sea",
    n,
  }));
}

interface Note {
  id: string;
  text: string;
  vector: number[];
  kind: string;
  n: number;
}

/** All notes are in the store that was named, found by their vectors and their metadata. */
async function expectNotes(out: string, more: (n: number) => object): Promise<void> {
  const store = /^3 vectors are in (vs_\w+)$/m.exec(out)?.[1] ?? out;
  const all = await notes();
  const page = await server.client.vectorStores.search(store, {
    query: "what grows with the moon",
    filters: { type: "eq", key: "kind", value: "sea" },
  });
  expect(new Map(page.data.map(({ content, attributes }) => [content[0]?.text, attributes]))).toEqual(
    new Map(all.filter(({ kind }) => kind === "sea").map(({ text, kind, n }) => [text, { kind, n, ...more(n) }])),
  );
  const [bread] = (await server.client.vectorStores.search(store, { query: all[1]?.text ?? "" })).data;
  expect([bread?.content[0]?.text, bread?.attributes?.["n"]]).toEqual([all[1]?.text, 1]);
}

/** The folder of another store, filled by a program that has the notes as its input. */
async function filled(script: string, folder: string): Promise<void> {
  const child = Bun.spawn({
    cmd: [PYTHON, "-c", script, folder],
    stdin: new Blob([JSON.stringify(await notes())]),
    stderr: "pipe",
    env: plainEnv(),
  });
  expect([await child.stderr.text(), await child.exited].at(1)).toBe(0);
}

const FILL_CHROMA = `
import json, sys, chromadb
notes = json.load(sys.stdin)
client = chromadb.PersistentClient(sys.argv[1], chromadb.Settings(anonymized_telemetry=False))
collection = client.create_collection("notes", embedding_function=None)
collection.add(ids=[n["id"] for n in notes], documents=[n["text"] for n in notes], embeddings=[n["vector"] for n in notes],
               metadatas=[{"kind": n["kind"], "n": n["n"]} for n in notes])
`;
const FILL_QDRANT = `
import json, sys
from qdrant_client import QdrantClient, models
notes = json.load(sys.stdin)
client = QdrantClient(path=sys.argv[1])
client.create_collection("notes", vectors_config=models.VectorParams(size=len(notes[0]["vector"]), distance=models.Distance.COSINE))
client.upsert("notes", [models.PointStruct(id=n["n"] + 1, vector=n["vector"],
              payload={"page_content": n["text"], "metadata": {"kind": n["kind"], "n": n["n"]}}) for n in notes])
client.close()
`;

for (const [program, fill, id] of [
  ["import_chroma.py", FILL_CHROMA, (n: number) => `note-${n}`],
  ["import_qdrant.py", FILL_QDRANT, (n: number) => String(n + 1)],
] as const) {
  const missing = await missingOf(program);
  test.skipIf(lacks(`the Python package ${missing.join(", ")}`, missing.length === 0))(
    `${program} brings a collection with its vectors and metadata`,
    async () => {
      using dir = tempDir();
      await filled(fill, dir.join("db"));
      await expectNotes(await run(program, [dir.join("db"), "notes", "brought"]), (n) => ({ source_id: id(n) }));
    },
    120_000,
  );
}

test.skipIf(lacks("python3", Bun.which(PYTHON) !== null))(
  "import_pgvector.py brings a table from what COPY and pg_dump write",
  async () => {
    using dir = tempDir();
    const escaped = (text: string) => text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll("\t", "\\t");
    const lines = (await notes()).map(({ id, text, vector, kind, n }) =>
      [id, escaped(text), `[${vector.join(",")}]`, escaped(JSON.stringify({ kind })), String(n), "\\N"].join("\t"),
    );
    const rows = `${lines.join("\n")}\n`;
    await Bun.write(dir.join("notes.txt"), rows);
    const columns = ["id", "content", "embedding", "metadata", "n", "nothing"];
    const copied = await run("import_pgvector.py", [dir.join("notes.txt"), "copied", "--columns", columns.join()]);
    await expectNotes(copied, (n) => ({ source_id: `note-${n}` }));
    const dump = `SET client_encoding = 'UTF8';\n\nCOPY public.notes (${columns.join(", ")}) FROM stdin;\n${rows}\\.\n\nSELECT 1;\n`;
    await Bun.write(dir.join("notes.sql"), dump);
    const dumped = await run("import_pgvector.py", [dir.join("notes.sql"), "dumped", "--embed"]);
    await expectNotes(dumped, (n) => ({ source_id: `note-${n}` }));
  },
  120_000,
);
