import { assert } from "../../errors.ts";
import type { ColumnsOf, Param } from "../sql.ts";
import type { Connection } from "./connection.ts";
import { COPY_BEGIN, COPY_END, CopyEncoder, type CopyType } from "./copy-format.ts";

/** What is made at a time of many rows, and sent. Bytes */
const PIECE_BYTES = 1 << 20;
const TYPES: Readonly<Record<ColumnsOf["columns"][string], CopyType>> = {
  integer: "bigint",
  text: "text",
  blob: "bytea",
};

/**
 * Adds rows by COPY in its binary form, which takes a table's worth of them in one statement: a server that is sent rows
 * one by one is busy with the sending. In a transaction, on its connection; nothing else is sent meanwhile.
 */
export async function copyRows(
  connection: Connection,
  { table, columns }: ColumnsOf,
  rows: Iterable<readonly Param[]>,
): Promise<void> {
  const names = Object.keys(columns).map((name) => `"${name}"`);
  let count = 0;
  function* counted() {
    for (const row of rows) {
      count += 1;
      yield row;
    }
  }
  const text = /*sql*/ `COPY "${table}" (${names.join(", ")}) FROM STDIN (FORMAT binary)`;
  const types = Object.values(columns).map((kind) => TYPES[kind]);
  const taken = await connection.copyIn(text, pieces(types, counted()));
  assert(taken === count, `of ${count} rows ${taken} were taken`);
}

function* pieces(types: readonly CopyType[], rows: Iterable<readonly Param[]>): Generator<Uint8Array> {
  const encoder = new CopyEncoder(types);
  yield COPY_BEGIN;
  for (const row of rows) {
    encoder.add(row);
    if (encoder.bytes >= PIECE_BYTES) yield encoder.take();
  }
  if (encoder.bytes > 0) yield encoder.take();
  yield COPY_END;
}
