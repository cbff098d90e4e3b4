import { createCipheriv, createDecipheriv } from "node:crypto";
import { blob, integer, table } from "./table.ts";

export const SHOWN_ID = table("shown_id", {
  one: integer(),
  secret: blob(),
  /** Chunks up to this one were shown by their number, and answer to it. */
  plain_chunks: integer(),
  /** The same of logged queries. */
  plain_queries: integer(),
});

/** A kind of row that clients see although it has no id of its own. */
export interface RowIds {
  /** The same row has the same id, always. */
  idOf(row: number): string;
  /** Of many rows, in their order: in one step, for the cipher costs more to call than to run. */
  idsOf(rows: readonly number[]): string[];
  /** The row's number, or null for what is no id. */
  rowOf(id: string): number | null;
}

/**
 * Ids of rows that are numbered over the whole server. The numbers are enciphered: who reads them could tell how much the
 * other tenants store and search.
 */
export interface ShownIds {
  /** `chunk_…` */
  readonly chunks: RowIds;
  /** `q_…` */
  readonly queries: RowIds;
}

type Block = (block: Uint8Array) => Buffer;

/** A block is the kind of row, zeros, and the number: what is deciphered to anything else was made up. */
const BLOCK_BYTES = 16;
const BLOCK_DIGITS = BLOCK_BYTES * 2;
const NUMBER_AT = 8;
const WORD = 2 ** 32;

/** Reads what {@link shownIds} are made of. */
export const SHOWN_ID_ROW = /*sql*/ `SELECT ${SHOWN_ID.list} FROM shown_id`;

/** `rows`: those that {@link SHOWN_ID_ROW} gives. */
export function shownIds(rows: readonly Record<string, unknown>[]): ShownIds {
  const [row] = SHOWN_ID.decode([...rows]);
  if (row === undefined) throw new Error("the database has no secret for ids");
  // Each id is one block of its own, so the mode without a chain is the right one, and one cipher serves for all, one
  // block or several at once.
  const cipher = createCipheriv("aes-256-ecb", row.secret, null).setAutoPadding(false);
  const decipher = createDecipheriv("aes-256-ecb", row.secret, null).setAutoPadding(false);
  const encrypt: Block = (block) => cipher.update(block);
  const decrypt: Block = (block) => decipher.update(block);
  return {
    chunks: rowIds({ prefix: "chunk_", kind: 1, plain: row.plain_chunks, encrypt, decrypt }),
    queries: rowIds({ prefix: "q_", kind: 2, plain: row.plain_queries, encrypt, decrypt }),
  };
}

interface Kind {
  prefix: string;
  kind: number;
  plain: number;
  encrypt: Block;
  decrypt: Block;
}

function rowIds({ prefix, kind, plain, encrypt, decrypt }: Kind): RowIds {
  const idsOf = (rows: readonly number[]): string[] => {
    const blocks = Buffer.alloc(BLOCK_BYTES * rows.length);
    rows.forEach((row, i) => {
      const at = i * BLOCK_BYTES;
      blocks[at] = kind;
      blocks.writeUInt32BE(Math.floor(row / WORD), at + NUMBER_AT);
      blocks.writeUInt32BE(row % WORD, at + NUMBER_AT + 4);
    });
    const digits = rows.length === 0 ? "" : encrypt(blocks).toString("hex");
    return rows.map((_, i) => prefix + digits.slice(i * BLOCK_DIGITS, (i + 1) * BLOCK_DIGITS));
  };
  return {
    idOf: (row) => idsOf([row])[0]!,
    idsOf,
    rowOf(id) {
      if (!id.startsWith(prefix)) return null;
      const text = id.slice(prefix.length);
      if (/^[0-9a-z]{1,10}$/.test(text)) return plainRow(text, plain);
      if (!/^[0-9a-f]{32}$/.test(text)) return null;
      const block = decrypt(Buffer.from(text, "hex"));
      const row = Number(block.readBigUInt64BE(NUMBER_AT));
      block[0]! ^= kind;
      return block.subarray(0, NUMBER_AT).every((byte) => byte === 0) && Number.isSafeInteger(row) ? row : null;
    },
  };
}

/** An id that was shown before numbers were enciphered. One above the last of those would ask how far the numbers are. */
function plainRow(text: string, plain: number): number | null {
  const row = Number.parseInt(text, 36);
  return row >= 1 && row <= plain ? row : null;
}
