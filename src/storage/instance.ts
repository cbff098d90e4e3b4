import type { Sql } from "./sql.ts";
import { integer, table, text } from "./table.ts";

export const INSTANCE = table("instance", {
  one: integer(),
  /** The embedding model that clients got who named none, when the data directory was made. */
  default_model: text(),
});

/** What a data directory was made with: one row. */
export interface InstanceTable {
  /** As it was written down; a new directory writes down `newest`. */
  defaultModel(newest: string): Promise<string>;
}

const INSERT = /*sql*/ `INSERT INTO instance (one, default_model) VALUES (1, ?1) ON CONFLICT DO NOTHING`;
const GET = /*sql*/ `SELECT default_model FROM instance`;

export function instanceTable(sql: Sql): InstanceTable {
  return {
    async defaultModel(newest) {
      await sql.run(INSERT, [newest]);
      return (await sql.get<{ default_model: string }>(GET))?.default_model ?? newest;
    },
  };
}
