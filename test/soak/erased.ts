/**
 * What was deleted is gone for good: every deletion comes to its end, and nothing is kept of a file or a store that is not
 * there. Of all tenants: what is there is read from the database itself, and held against what lies beside it.
 */
import { Database } from "bun:sqlite";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { createParsedCache } from "../../src/storage/parsed.ts";
import type { Asker } from "./asker.ts";
import { same } from "./wrong.ts";

/** A job that found no space waits for its next turn, by a clock that may have been put back meanwhile. */
const END_MS = 240_000;

/** Rows of what is gone; each counts those that no file, or no store, explains. */
const LEFT = {
  "deletions that never end": "SELECT count(*) AS n FROM deletion WHERE completed_at IS NULL",
  "chunks of files that are gone":
    "SELECT count(*) AS n FROM chunk c WHERE NOT EXISTS (SELECT 1 FROM store_file f WHERE f.seq = c.store_file)",
  "words of chunks that are gone":
    "SELECT count(*) AS n FROM chunk_terms t WHERE NOT EXISTS (SELECT 1 FROM chunk c WHERE c.id = t.chunk_id)",
  "vectors of chunks that are gone":
    "SELECT count(*) AS n FROM vector v WHERE NOT EXISTS (SELECT 1 FROM chunk c WHERE c.id = v.chunk_id)",
  "kept vectors of files that are gone":
    "SELECT count(*) AS n FROM embedding_cache e WHERE NOT EXISTS (SELECT 1 FROM file f WHERE f.id = e.file_id)",
  "passages in answers": `SELECT count(*) AS n FROM response_source r WHERE (results > 0 OR quotes > 0)
    AND NOT EXISTS (SELECT 1 FROM file f WHERE f.id = r.file_id)`,
  "passages in threads": `SELECT count(*) AS n FROM thread_source r WHERE (results > 0 OR quotes > 0)
    AND NOT EXISTS (SELECT 1 FROM file f WHERE f.id = r.file_id)`,
} as const;

/** Nobody asks the server for anything meanwhile. */
export async function checkErased(ask: Asker): Promise<void> {
  let left: string[] = [];
  await ask
    .until(
      "everything that was deleted is gone",
      async () => ((left = leftIn(ask)).length === 0 ? true : undefined),
      END_MS,
    )
    .catch(() => same("what is left of what was deleted", left, []));
}

/** A line for each kind, with the first of them. */
function leftIn({ house: { dataDir } }: Asker): string[] {
  using db = new Database(join(dataDir, "meta.sqlite"), { readonly: true });
  const lines = Object.entries(LEFT).flatMap(([what, sql]) => {
    const n = db.query<{ n: number }, []>(sql).get()?.n ?? 0;
    return n === 0 ? [] : [`${what}: ${n}${what === "deletions that never end" ? openDeletions(db) : ""}`];
  });
  const ids = (sql: string) =>
    new Set(
      db
        .query<{ id: string }, []>(sql)
        .all()
        .map(({ id }) => id),
    );
  const { path } = createParsedCache(dataDir);
  type Named = { tenant_id: string; sha256: string; filename: string };
  const parsed = new Set(
    db
      .query<Named, []>("SELECT tenant_id, sha256, filename FROM file")
      .all()
      .map(({ tenant_id: tenantId, ...file }) => path({ tenantId, ...file })),
  );
  const bytes = ids("SELECT id FROM file UNION ALL SELECT id FROM upload_part");
  const stores = ids("SELECT id FROM vector_store");
  for (const [what, strays] of [
    ["parsed texts of files that are gone", filesBelow(join(dataDir, "parsed")).filter((one) => !parsed.has(one))],
    ["bytes that belong to nothing", filesBelow(join(dataDir, "blobs")).filter((one) => !bytes.has(nameOf(one)))],
    ["folders of stores that are gone", namesIn(join(dataDir, "stores")).filter((one) => !stores.has(one))],
  ] as const)
    if (strays.length > 0) lines.push(`${what}: ${strays.length}, ${strays[0]}`);
  return lines;
}

/** What each of the first still waits for. */
function openDeletions(db: Database): string {
  const rows = db
    .query(/*sql*/ `SELECT d.subject_type AS type, d.subject_id AS subject, d.requested_at, d.verified_at, d.remaining,
        (SELECT json_group_array(json_object('kind', j.kind, 'attempt', j.attempt, 'due', j.due_ms, 'lease', j.lease_owner))
         FROM job j WHERE j.subject IN (d.id, d.subject_id)
           OR j.subject IN (SELECT CAST(f.store_file AS TEXT) FROM deletion_file f WHERE f.deletion = d.seq)) AS jobs
      FROM deletion d WHERE d.completed_at IS NULL ORDER BY d.seq LIMIT 3`)
    .all();
  return ` ${JSON.stringify(rows)}`;
}

const nameOf = (path: string) => path.slice(path.lastIndexOf("/") + 1);
const entries = (path: string) => {
  try {
    return readdirSync(path, { recursive: true, withFileTypes: true });
  } catch (error) {
    // Made when it is first needed; and what is listed may be on its way out.
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
};
const filesBelow = (path: string) =>
  entries(path).flatMap((entry) => (entry.isFile() ? [join(entry.parentPath, entry.name)] : []));
const namesIn = (path: string) => entries(path).flatMap((entry) => (entry.parentPath === path ? [entry.name] : []));
