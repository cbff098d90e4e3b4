import type { Failpoint } from "../../platform/failpoint.ts";
import { nextTurn } from "../../platform/next-turn.ts";
import { CopyEncoder } from "../postgres/copy-format.ts";
import { RowDigest } from "./row-digest.ts";
import { type MoveSource, MoveRefused, type SourceTable } from "./source.ts";
import type { MoveTarget, TargetTable } from "./target.ts";

/** A table on its way: what it is called on both sides, and the columns that are there on both. */
interface Route {
  readonly source: SourceTable;
  readonly target: TargetTable;
  readonly columns: readonly string[];
}

/** Told while a table is on its way: how many of its rows are done. */
export type RowProgress = (table: string, rows: number, of: number) => void;

export interface RowMove {
  readonly source: MoveSource;
  readonly target: MoveTarget;
  /** Stops between two batches. */
  readonly signal: AbortSignal;
  readonly onRows: RowProgress;
  readonly failpoint: Failpoint;
}

/** A batch is as many rows as have so many bytes; it is a transaction, and what a kill costs. */
const BATCH_BYTES = 4 << 20;
/** Rows between two turns of the event loop while a table is read through. */
const ROWS_A_TURN = 2000;

/** Moves what is not there yet, each batch once, whatever instant an earlier call ended at. Returns the rows moved. */
export async function moveRows({ source, target, signal, onRows, failpoint }: RowMove): Promise<number> {
  let moved = 0;
  for (const route of await routesOf(source, target)) {
    const { name } = route.source;
    const progress = await target.progress(name);
    if (progress.isWhole) continue;
    const all = source.count(route.source);
    const encoder = encoderOf(route);
    let rows = 0;
    let { last } = progress;
    for (const batch of batchesOf(route, source, { encoder, after: last })) {
      signal.throwIfAborted();
      if (batch.rows > 0) last = batch.last;
      await target.load(route.target, route.columns, batch.pieces, { last, isWhole: batch.isLast });
      failpoint("move:batch");
      rows += batch.rows;
      onRows(name, rows, all);
    }
    moved += rows;
  }
  return moved;
}

interface Batch {
  pieces: Iterable<Uint8Array>;
  rows: number;
  last: number;
  isLast: boolean;
}

/** Of a table whose rows have no numbers all are one batch: another call could not go on in the middle. */
function* batchesOf(
  { source: table, columns }: Route,
  source: MoveSource,
  { encoder, after }: { encoder: CopyEncoder; after: number },
): Generator<Batch> {
  let pieces: Uint8Array[] = [];
  let rows = 0;
  let last = after;
  for (const row of source.rows(table, columns, after)) {
    encoder.add(row.values);
    rows++;
    last = row.number;
    if (encoder.bytes < BATCH_BYTES) continue;
    pieces.push(encoder.take());
    if (!table.hasNumbers) continue;
    yield { pieces, rows, last, isLast: false };
    pieces = [];
    rows = 0;
  }
  yield { pieces: [...pieces, encoder.take()], rows, last, isLast: true };
}

/** A table that is not the same on both sides. */
export interface Difference {
  readonly table: string;
  readonly detail: string;
}

/** Both sides of every table, every column of every row: how many rows they are, and their checksums. */
export async function compareRows({
  source,
  target,
  signal,
  onRows,
}: Omit<RowMove, "failpoint">): Promise<{ rows: number; tables: number; differences: Difference[] }> {
  const differences: Difference[] = [];
  const routes = await routesOf(source, target);
  let total = 0;
  for (const route of routes) {
    signal.throwIfAborted();
    const { name } = route.source;
    const all = source.count(route.source);
    const here = await digestOf(source, route, signal);
    const there = await target.digest(name, route.columns, (rows) => onRows(name, rows, all));
    total += here.rows;
    if (here.rows !== there.rows)
      differences.push({ table: name, detail: `${here.rows} rows here, ${there.rows} there` });
    else if (here.sum !== there.sum)
      differences.push({ table: name, detail: `${here.rows} rows on both sides, and not the same ones` });
  }
  return { rows: total, tables: routes.length, differences };
}

async function digestOf(source: MoveSource, route: Route, signal: AbortSignal): Promise<RowDigest> {
  const digest = new RowDigest();
  const encoder = encoderOf(route);
  for (const { values } of source.rows(route.source, route.columns, 0)) {
    digest.add(encoder.add(values));
    encoder.clear();
    if (digest.rows % ROWS_A_TURN > 0) continue;
    await nextTurn();
    signal.throwIfAborted();
  }
  return digest;
}

function encoderOf({ target, columns }: Route): CopyEncoder {
  const types = new Map(target.columns.map(({ name, type }) => [name, type]));
  return new CopyEncoder(columns.map((name) => types.get(name) ?? "text"));
}

/** @throws MoveRefused where the two schemas do not fit together, which is a fault of this program */
async function routesOf(source: MoveSource, target: MoveTarget): Promise<Route[]> {
  const byName = new Map(source.tables.map((table) => [table.name, table]));
  const routes: Route[] = [];
  for (const table of await target.tables()) {
    const own = byName.get(table.name);
    if (own === undefined) continue;
    byName.delete(table.name);
    // The place of a row is a column there.
    const has = (name: string) => own.columns.includes(name) || (name === "rowid" && own.hasNumbers);
    const lacking = table.columns.find(({ name, isNeeded }) => isNeeded && !has(name));
    const columns = table.columns.map(({ name }) => name).filter(has);
    const lost = own.columns.find((name) => !columns.includes(name));
    if (lacking !== undefined || lost !== undefined)
      throw new MoveRefused(`This is a bug in Lectern: ${table.name}.${lacking?.name ?? lost} is on one side only`);
    routes.push({ source: own, target: table, columns });
  }
  const [left] = byName.keys();
  if (left !== undefined) throw new MoveRefused(`This is a bug in Lectern: the table ${left} is on one side only`);
  return routes;
}
