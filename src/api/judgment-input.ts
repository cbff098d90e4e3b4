import { AppError } from "../errors.ts";
import type { Relevant } from "../storage/judgments.ts";
import type { RowIds } from "../storage/shown-ids.ts";
import type { Storage } from "../storage/storage.ts";
import type { StoreRow } from "../storage/stores.ts";
import type { JudgmentBody } from "./judgment-schema.ts";

/** No chunk has this number. */
const NO_CHUNK = 0;

export interface ReadJudgment {
  query: string;
  relevant: Relevant[];
}

export interface GivenJudgments {
  given: readonly JudgmentBody[];
  /** Every file and chunk must be in the store; otherwise one that is not can never be found, and counts as missing. */
  strict: boolean;
  /** They are added to lists that are there: grades may all be 0, and of a query that is given twice both lists count. */
  merge?: boolean | undefined;
}

/**
 * Judged queries as they are kept; of a query that is there twice the last one. Throws a 400 that names the place for
 * what the schema cannot say.
 */
export async function readJudgments(
  { judgments: table, shownIds }: Pick<Storage, "judgments" | "shownIds">,
  { tenant_id: tenantId, id: storeId }: Pick<StoreRow, "tenant_id" | "id">,
  { given, strict, merge = false }: GivenJudgments,
): Promise<ReadJudgment[]> {
  const read = given.map((one, i) => readOne(one, `judgments[${i}]`, { chunkIds: shownIds.chunks, merge }));
  const all = read.flatMap((one) => one.relevant);
  const chunks = await table.chunksOf(tenantId, storeId, [...new Set(all.flatMap(({ chunk }) => chunk ?? []))]);
  const files = strict
    ? await table.filesOf(tenantId, storeId, [...new Set(all.flatMap(({ file }) => file ?? []))])
    : new Map<string, unknown>();
  for (const [i, { relevant }] of read.entries()) {
    for (const [j, one] of relevant.entries()) {
      const place = `judgments[${i}].relevant[${j}]`;
      if (one.chunk !== null) {
        one.file = chunks.get(one.chunk) ?? null;
        if (one.file === null && strict) throw notThere(`${place}.chunk_id`, "chunk");
      } else if (strict && !files.has(one.file ?? "")) throw notThere(`${place}.file_id`, "file");
    }
  }
  const byQuery = new Map<string, ReadJudgment>();
  for (const one of read) {
    const before = merge ? byQuery.get(one.query) : undefined;
    byQuery.set(one.query, before === undefined ? one : { ...one, relevant: merged(before.relevant, one.relevant) });
  }
  return [...byQuery.values()];
}

/** One list with the other's answers added to it, or regraded in it. */
export function merged(before: readonly Relevant[], added: readonly Relevant[]): Relevant[] {
  const keyOf = ({ file, chunk }: Relevant) => (chunk === null ? `file ${file}` : `chunk ${chunk}`);
  const byKey = new Map(before.map((one) => [keyOf(one), one]));
  for (const one of added) byKey.set(keyOf(one), one);
  return [...byKey.values()];
}

function readOne(
  { query, relevant }: JudgmentBody,
  place: string,
  { chunkIds, merge }: { chunkIds: RowIds; merge: boolean },
): ReadJudgment {
  if (query.trim() === "") {
    const text = `Invalid '${place}.query': empty string. Expected a string with minimum length 1, but got an empty string instead.`;
    throw new AppError("string_below_min_length", text, { param: `${place}.query` });
  }
  const read = relevant.map(({ file_id: file, chunk_id: chunkId, grade = 1 }, j): Relevant => {
    const at = `${place}.relevant[${j}]`;
    if (chunkId === undefined) {
      if (file !== undefined) return { file, chunk: null, grade };
      throw new AppError("missing_required_parameter", `Missing required parameter: '${at}.file_id'.`, {
        param: `${at}.file_id`,
      });
    }
    if (file !== undefined) {
      const text = `Invalid '${at}': it names a file and a chunk; give one of 'file_id' and 'chunk_id'.`;
      throw new AppError("invalid_value", text, { param: at });
    }
    if (chunkId.startsWith("chunk_")) return { file: null, chunk: chunkIds.rowOf(chunkId) ?? NO_CHUNK, grade };
    const text = `Invalid '${at}.chunk_id': expected an ID that begins with 'chunk_'.`;
    throw new AppError("invalid_value", text, { param: `${at}.chunk_id` });
  });
  if (merge || read.some(({ grade }) => grade > 0)) return { query, relevant: read };
  const text = `Invalid '${place}.relevant': at least one grade must be above 0, or nothing could ever be found. With 'merge' all of them may be 0.`;
  throw new AppError("invalid_value", text, { param: `${place}.relevant` });
}

function notThere(param: string, what: "file" | "chunk"): AppError {
  return new AppError("invalid_value", `Invalid '${param}': there is no such ${what} in this vector store.`, { param });
}
