import { Database as Connection } from "bun:sqlite";
import { type ChunkReads, chunkReads } from "./chunk-reads.ts";
import { distrustSchema } from "./own-schema.ts";
import type { Param, Sql } from "./sql.ts";

/**
 * A second look at the database of a running server, by a worker of its: committed rows, a statement at a time, so that
 * it never keeps the log from being copied into the file for longer than a statement takes. Not for anything that must be
 * of one instant.
 */
export interface DatabaseReader extends Disposable {
  readonly chunks: ChunkReads;
}

export function openReader(path: string): DatabaseReader {
  const connection = new Connection(path, { readonly: true, strict: true });
  distrustSchema(connection);
  connection.run("PRAGMA busy_timeout = 5000");
  connection.run("PRAGMA cache_size = -16384");
  // The server shortens the file now and then: what is read is copied, not mapped.
  connection.run("PRAGMA mmap_size = 0");
  const query = <Row>(text: string, params: readonly Param[]) => connection.query<Row, Param[]>(text).all(...params);
  const refuse = (): never => {
    throw new Error("this connection only reads");
  };
  const sql: Sql = {
    dialect: "sqlite",
    all: async <Row>(text: string, params: readonly Param[] = []) => query<Row>(text, params),
    get: async <Row>(text: string, params: readonly Param[] = []) => query<Row>(text, params)[0] ?? null,
    run: async () => refuse(),
    atomic: async () => refuse(),
  };
  return { chunks: chunkReads(sql), [Symbol.dispose]: () => connection.close() };
}
