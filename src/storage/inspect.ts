import { constants, Database } from "bun:sqlite";
import { messageOf } from "../errors.ts";
import { MIGRATIONS } from "./migrations/index.ts";
import { checkSchema, distrust, idColumnsAt } from "./own-schema.ts";

/**
 * Looks at a database that came from elsewhere, before anything is done with it: reads only, makes no file beside it.
 * What is wrong with it as one line, null where nothing is.
 */
export function databaseProblem(path: string): string | null {
  try {
    // Without `immutable` a file in WAL mode would get a journal beside it, or find one.
    const address = `file:${encodeURI(path).replaceAll("?", "%3F").replaceAll("#", "%23")}?immutable=1`;
    using db = new Database(address, constants.SQLITE_OPEN_READONLY | constants.SQLITE_OPEN_URI);
    distrust(db);
    return problemIn(db);
  } catch (error) {
    return `it cannot be read (${messageOf(error)})`;
  }
}

function problemIn(db: Database): string | null {
  const schema = checkSchema(db);
  if (!schema.ok) return schema.problem;
  const known = MIGRATIONS.at(-1)?.version ?? 0;
  if (schema.version === 0) return "it is no database of Lectern";
  if (schema.version > known)
    return `it is of a newer Lectern (schema version ${schema.version}, this one knows ${known})`;
  // Lectern leaves both as they are in a new file.
  const { application, user } = db
    .query<{ application: number; user: number }, []>(
      /*sql*/ `SELECT application_id AS application, user_version AS user FROM pragma_application_id, pragma_user_version`,
    )
    .get() ?? { application: -1, user: -1 };
  if (application !== 0 || user !== 0) return "it carries the mark of another program";
  const [verdict] = db.query<{ integrity_check: string }, []>("PRAGMA integrity_check(1)").all();
  if (verdict?.integrity_check !== "ok") return `it is damaged (${verdict?.integrity_check ?? "no answer"})`;
  for (const { table, column } of idColumnsAt(schema.version)) {
    // The length in bytes finds what the pattern does not see, such as what follows a zero byte.
    const strange = db
      .query(/*sql*/ `SELECT 1 FROM ${table} WHERE ${column} GLOB '*[^A-Za-z0-9_-]*'
          OR length(CAST(${column} AS BLOB)) NOT BETWEEN 1 AND 128 OR length(CAST(${column} AS BLOB)) <> length(${column}) LIMIT 1`)
      .get();
    if (strange !== null) return `${table}.${column} holds what is no identifier`;
  }
  return null;
}
