/**
 * A data directory that was written with analyzer version 1 (test/fixtures/data-analyzer-v1.tar.gz, by Lectern as of commit
 * 10532e4): its chunks are analysed again by themselves, while it is searched, whatever happens in between.
 */
import { Database } from "bun:sqlite";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { ANALYZER_VERSION } from "../../src/index/term-blob.ts";
import { json, search } from "../helpers/api.ts";
import { ROOT, startServer, type TestServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait.ts";

const ARCHIVE = join(ROOT, "test/fixtures/data-analyzer-v1.tar.gz");
const CHUNKS = 6;

/** Found by the terms that both versions have. */
const ALWAYS: [query: string, filename: string][] = [
  ["carried over", "holiday-policy-2024.txt"],
  ["Müller", "leitung.txt"],
  ["oficina", "precios.txt"],
  ["10mm", "bolts.md"],
  ["delivery", "launch.txt"],
  ["Hà Nội", "hanoi.txt"],
];
/** Found by what later versions add. */
const NOW: [query: string, filename: string][] = [
  ["holiday-policy-2024.txt", "holiday-policy-2024.txt"],
  ["Mueller Koeln", "leitung.txt"],
  ["Jose Pena", "precios.txt"],
  ["10 mm", "bolts.md"],
  ["2.17.1", "bolts.md"],
  ["1299", "bolts.md"],
  ["🚀", "launch.txt"],
  ["Da Nang", "hanoi.txt"],
];

async function unpack(path: string): Promise<string> {
  const dataDir = join(path, "data");
  mkdirSync(dataDir, { recursive: true });
  await Bun.$`tar xzf ${ARCHIVE} -C ${dataDir}`.quiet();
  return dataDir;
}

/** Analyzer versions of all chunks, ascending. */
function versions(dataDir: string): number[] {
  using db = new Database(join(dataDir, "meta.sqlite"), { readonly: true });
  return db
    .query<{ terms: Uint8Array }, []>("SELECT terms FROM chunk_terms ORDER BY terms")
    .all()
    .map(({ terms }) => terms[0] ?? 0);
}

async function firstOf(server: TestServer, storeId: string, query: string): Promise<string | undefined> {
  return (await search(server, storeId, { query, search_mode: "keyword" }))[0]?.filename;
}

async function check(server: TestServer, cases: readonly [string, string][]): Promise<void> {
  const { data } = await json<{ data: { id: string }[] }>(server, "GET", "/v1/vector_stores");
  const storeId = data[0]?.id ?? "";
  const found = [];
  for (const [query] of cases) found.push([query, await firstOf(server, storeId, query)]);
  expect(found).toEqual(cases.map((one) => [...one]));
}

const isDone = (dataDir: string) =>
  versions(dataDir).every((version) => version === ANALYZER_VERSION) ? true : undefined;

test("chunks of an older version are analysed again while they are searched", async () => {
  using dir = tempDir();
  const dataDir = await unpack(dir.path);
  expect(versions(dataDir)).toEqual(Array.from({ length: CHUNKS }, () => 1));
  await using server = await startServer({ dataDir });
  await check(server, ALWAYS);
  await waitFor("everything is analysed", () => isDone(dataDir));
  await check(server, [...ALWAYS, ...NOW]);
}, 120_000);

test("killed halfway, it goes on at the next start and answers from both kinds meanwhile", async () => {
  using dir = tempDir();
  const dataDir = await unpack(dir.path);
  {
    await using doomed = await startServer({ dataDir, env: { LECTERN_TEST_FAILPOINT: "reanalyze:some-written:3" } });
    await waitFor("it is killed", () =>
      versionsOrNone(dataDir).filter((one) => one === ANALYZER_VERSION).length === 3 ? true : undefined,
    );
    await doomed.kill();
  }
  expect(versions(dataDir)).toEqual([1, 1, 1, ANALYZER_VERSION, ANALYZER_VERSION, ANALYZER_VERSION]);
  await using server = await startServer({ dataDir });
  await check(server, ALWAYS);
  await waitFor("everything is analysed", () => isDone(dataDir));
  await check(server, [...ALWAYS, ...NOW]);
  expect(await server.stop()).toBe(0);
}, 120_000);

/** The database may be in recovery. */
function versionsOrNone(dataDir: string): number[] {
  try {
    return versions(dataDir);
  } catch {
    return [];
  }
}
