/**
 * What must hold of a data directory after a power cut: everything that the client had been told is there, rows agree with
 * each other and with the bytes beside them, and what is torn is not believed. It is opened by the server's own code.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { openManifest } from "../../src/index/generation.ts";
import { openImage } from "../../src/index/image-file.ts";
import { verifyFile } from "../../src/index/part-file.ts";
import { HIGHEST_CHUNK } from "../../src/jobs/index-image.ts";
import { loadVectors } from "../../src/platform/native.ts";
import { createBlobs } from "../../src/storage/blob-directory.ts";
import { openSqlite, type SqliteDatabase } from "../../src/storage/sqlite.ts";
import type { Known } from "./desk.ts";

/** Statements that give rows where something is wrong. */
const WRONG: Record<string, string> = {
  "an attached file that does not exist": "SELECT file_id FROM store_file WHERE file_id NOT IN (SELECT id FROM file)",
  "a vector without its chunk": "SELECT id FROM vector WHERE chunk_id NOT IN (SELECT id FROM chunk)",
  "terms without their chunk": "SELECT chunk_id FROM chunk_terms WHERE chunk_id NOT IN (SELECT id FROM chunk)",
  "a chunk twice": "SELECT store_file FROM chunk GROUP BY store_file, chunk_set, revision, idx HAVING count(*) > 1",
  "a chunk of no file that nobody removes":
    "SELECT id FROM chunk WHERE store_file NOT IN (SELECT seq FROM store_file) AND NOT EXISTS (SELECT 1 FROM job WHERE kind LIKE 'purge%')",
  "a file in progress that nobody works on":
    "SELECT seq FROM store_file WHERE status = 'in_progress' AND CAST(seq AS TEXT) NOT IN (SELECT subject FROM job WHERE kind = 'ingest')",
  "a completed file with other chunks than it says":
    "SELECT seq FROM store_file f WHERE status = 'completed' AND store_id IN (SELECT id FROM vector_store WHERE lifecycle <> 'deleting') AND n_chunks <> (SELECT count(*) FROM chunk c JOIN vector_store s ON s.id = f.store_id JOIN generation g ON g.store_id = s.id AND g.state = 'live' WHERE c.store_file = f.seq AND c.revision = f.revision AND c.chunk_set = g.chunk_set)",
  "wrong counts of a store":
    "SELECT id FROM vector_store s WHERE n_completed <> (SELECT count(*) FROM store_file f WHERE f.store_id = s.id AND f.status = 'completed')",
  "a store without its live generation":
    "SELECT id FROM vector_store s WHERE (SELECT count(*) FROM generation g WHERE g.store_id = s.id AND g.state = 'live') <> 1",
};

const sha256 = (bytes: Uint8Array) => new Bun.CryptoHasher("sha256").update(bytes).digest("hex");

/** What is wrong, held against what the client had been told; none where all is well. */
export async function problemsOf(dataDir: string, known: Known): Promise<string[]> {
  let database: SqliteDatabase;
  try {
    database = openSqlite(join(dataDir, "meta.sqlite"), { flush: false });
  } catch (error) {
    return [`the database cannot be opened: ${String(error)}`];
  }
  const problems: string[] = [];
  let highestChunk = Infinity;
  try {
    const { raw } = database;
    highestChunk = raw.query<{ id: number }, []>(HIGHEST_ID).get()?.id ?? 0;
    const integrity = raw.query("PRAGMA integrity_check").all();
    if (JSON.stringify(integrity) !== '[{"integrity_check":"ok"}]') problems.push(JSON.stringify(integrity));
    if (raw.query("PRAGMA foreign_key_check").all().length > 0) problems.push("a foreign key leads nowhere");
    for (const [what, sql] of Object.entries(WRONG)) {
      const rows = raw.query(sql).all();
      if (rows.length > 0) problems.push(`${what}: ${JSON.stringify(rows.slice(0, 2))}`);
    }
    const blobs = createBlobs(dataDir);
    for (const { id, sha256: wanted } of raw
      .query<{ id: string; sha256: string }, []>("SELECT id, sha256 FROM file")
      .all()) {
      const path = blobs.path(id);
      if (!existsSync(path)) problems.push(`the bytes of ${id} are not there`);
      else if (sha256(readFileSync(path)) !== wanted) problems.push(`the bytes of ${id} are torn`);
    }
    problems.push(...lossesOf(database, known));
  } catch (error) {
    problems.push(`the database cannot be read: ${String(error)}`);
  } finally {
    await database.close();
  }
  for (const name of ["holder.json", "cli.json", "tried-models.json"]) {
    const path = join(dataDir, name);
    if (existsSync(path) && !isJson(readFileSync(path, "utf8"))) problems.push(`${name} is torn`);
  }
  const stores = join(dataDir, "stores");
  problems.push(...(await tornGraphs(stores, highestChunk)), ...(await tornImages(stores, highestChunk)));
  return problems;
}

/** What the client was told and is not there. */
function lossesOf({ raw }: SqliteDatabase, known: Known): string[] {
  const losses: string[] = [];
  const column = (sql: string) =>
    new Set(
      raw
        .query(sql)
        .values()
        .map(([value]) => String(value)),
    );
  const files = column("SELECT id FROM file");
  for (const id of known.files.keys()) if (!files.has(id)) losses.push(`the file ${id} is lost`);
  for (const id of known.deletedFiles) if (files.has(id)) losses.push(`the deleted file ${id} is there`);
  const attached = column("SELECT store_id || ' ' || file_id FROM store_file");
  for (const [id, { store }] of known.attached)
    if (!attached.has(`${store} ${id}`)) losses.push(`${id} is not in ${store}`);
  const stores = column("SELECT id FROM vector_store WHERE lifecycle <> 'deleting'");
  for (const id of known.stores) if (!stores.has(id)) losses.push(`the store ${id} is lost`);
  for (const id of known.deletedStores) if (stores.has(id)) losses.push(`the deleted store ${id} is there`);
  const has = raw.query("SELECT 1 FROM chunk WHERE store_id = ?1 AND instr(text, ?2) > 0 LIMIT 1");
  for (const [word, store] of known.inserted)
    if (has.get(store, word) === null) losses.push(`the text of ${word} is lost`);
  const keys = column("SELECT id FROM api_key");
  for (const id of known.keys.keys()) if (!keys.has(id)) losses.push(`the key ${id} is lost`);
  const tenants = column("SELECT id FROM tenant");
  for (const id of known.tenants) if (!tenants.has(id)) losses.push(`the tenant ${id} is lost`);
  const responses = column("SELECT id FROM response WHERE status = 'completed'");
  for (const id of known.responses.keys()) if (!responses.has(id)) losses.push(`the response ${id} is lost`);
  return losses;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Of the last chunk that there ever was: those that the database lost are given again, to others. */
const HIGHEST_ID = "SELECT coalesce(max(seq), 0) AS id FROM sqlite_sequence WHERE name = 'chunk'";

/** A manifest may be there only with all of its parts, whole: it is written last. Nor may it know more than the database. */
async function tornGraphs(stores: string, highestChunk: number): Promise<string[]> {
  if (!existsSync(stores)) return [];
  const torn: string[] = [];
  for (const path of readdirSync(stores, { recursive: true }).map(String)) {
    if (!path.endsWith("manifest.json") || path.includes(".deleted")) continue;
    const directory = join(stores, path, "..");
    for (const { serial, graph, ids } of openManifest(directory) ?? [])
      for (const [name, seal] of [
        [`part-${serial}.hnsw`, graph],
        [`part-${serial}.ids`, ids],
      ] as const)
        await verifyFile(join(directory, name), seal).catch((error: unknown) => {
          torn.push(`${name}: ${String(error)}`);
        });
    for (const { serial } of openManifest(directory) ?? []) {
      const of = new Float64Array(new Uint8Array(readFileSync(join(directory, `part-${serial}.ids`))).buffer);
      if (of.some((id) => id > highestChunk)) torn.push("a graph knows chunks that the database does not have");
    }
  }
  return torn;
}

/** By the digest of its bytes, what is wrong with an image, or the highest chunk that it knows: most are the same. */
const images = new Map<string, string | number>();

/** What has the name of an image is whole, and not newer than the database. */
async function tornImages(stores: string, highestChunk: number): Promise<string[]> {
  if (!existsSync(stores)) return [];
  const torn: string[] = [];
  for (const path of readdirSync(stores, { recursive: true }).map(String)) {
    if (!path.endsWith(".image")) continue;
    const digest = sha256(readFileSync(join(stores, path)));
    const found = images.get(digest) ?? (await lookAtImage(join(stores, path)));
    images.set(digest, found);
    if (typeof found === "string") torn.push(`an image: ${found}`);
    else if (found > highestChunk) torn.push("an image is newer than the database");
  }
  return torn;
}

async function lookAtImage(path: string): Promise<string | number> {
  loadVectors();
  const opened = await openImage(path, null);
  return opened.ok ? opened.image.number(HIGHEST_CHUNK) : opened.detail;
}
