import { answers } from "./017-answers.ts";
import { chunks } from "./017-chunks.ts";
import { files } from "./017-files.ts";
import { functions } from "./017-functions.ts";
import { migrations } from "./017-migrations.ts";

/**
 * The schema of version 17 on PostgreSQL: the first there is. Frozen.
 *
 * Tables, columns and what may be null are those of SQLite's migrations up to the same version, where each column is
 * explained; a test holds the two against each other. What differs:
 *
 * - Keys begin with the tenant, so that an organisation may distribute or split tables by it. Numbers are drawn from
 *   sequences over all tenants, so a number alone names a row as well, and has an index where statements ask by it.
 *   API keys are the exception: a request is known by the hash of its key before its tenant is.
 * - Text is compared byte by byte (collation "C"), as SQLite does, whatever the database's own collation.
 * - `rowid` is a column.
 * - Jobs are counted when somebody asks: a row of counts would be written by everybody.
 * - Counts of a store follow once a statement, not once a row.
 * - A judged query may be longer than an index entry can be; its hash stands for it.
 */
export const sql = [functions, files, chunks, migrations, answers].join("");
