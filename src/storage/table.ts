import { isBackwards, type Page, type PageQuery, pageBounds, type SortedQuery, toPage } from "./page.ts";
import type { Param, Sql } from "./sql.ts";

/**
 * A table's columns, declared once, and what follows from them: the lists of columns in statements, inserts, changes,
 * pages, and rows as values. A row is decoded where it is read, so that nobody else sees JSON text or a 0 for false.
 */
export interface Column<T> {
  readonly kind: "text" | "integer" | "blob" | "boolean" | "json";
  readonly isNullable: boolean;
  /** Where the value comes from, if not from a column of the name. */
  readonly from?: string;
  /** What a JSON object has where the kept one says nothing. */
  readonly defaults?: object;
  /** Never set: what callers see. */
  readonly seen?: T;
}

export type Columns = Readonly<Record<string, Column<unknown>>>;
export type Row<C> = { [K in keyof C]: C[K] extends Column<infer T> ? T : never };
/** The rows of a table, or of some of its columns. */
export type RowOf<S extends Selection<Columns>> = Row<S["columns"]>;

const column = <T>(kind: Column<T>["kind"]): Column<T> => ({ kind, isNullable: false });

export const text = <T extends string = string>(): Column<T> => column("text");
export const id = <T extends string>(): Column<T> => column("text");
export const integer = <T extends number = number>(): Column<T> => column("integer");
export const blob = (): Column<Uint8Array> => column("blob");
export const boolean = (): Column<boolean> => column("boolean");
export const json = <T>(defaults?: T & object): Column<T> => ({
  ...column<T>("json"),
  ...(defaults === undefined ? {} : { defaults }),
});
export const nullable = <T>(of: Column<T>): Column<T | null> => ({ ...of, isNullable: true });
/** The place of a row in a table without a column for it. */
export const rowid = (): Column<number> => ({ ...column("integer"), from: "rowid" });

/** Rows as the database has them. */
type Kept = Record<string, unknown>;

/** Where the rows of a page come from. */
export interface PageSource {
  /** What follows FROM, up to the end of the conditions. */
  from: string;
  params: readonly Param[];
  /** The column that orders them. */
  cursor?: string;
}

/** Columns to read, of one table or of several; made with a list of its own where something is computed. */
export class Selection<C extends Columns> {
  readonly columns: C;
  /** For SELECT and RETURNING. */
  readonly list: string;
  readonly #decoded: readonly (readonly [name: string, column: Column<unknown>])[];

  constructor(columns: C, list: string) {
    this.columns = columns;
    this.list = list;
    this.#decoded = Object.entries(columns).filter(([, { kind }]) => kind === "json" || kind === "boolean");
  }

  /** Some of the columns. */
  pick<K extends keyof C & string>(...names: readonly K[]): Selection<Pick<C, K>> {
    const columns = Object.fromEntries(names.map((name) => [name, this.columns[name]])) as Pick<C, K>;
    return new Selection(columns, listOf(columns));
  }

  /** The same columns of one table, which the statement calls `alias`. */
  as(alias: string): Selection<C> {
    return new Selection(this.columns, listOf(this.columns, `${alias}.`));
  }

  and<D extends Columns>(other: Selection<D>): Selection<C & D> {
    return new Selection({ ...this.columns, ...other.columns }, `${this.list}, ${other.list}`);
  }

  async all(sql: Sql, statement: string, params?: readonly Param[]): Promise<Row<C>[]> {
    return this.decode(await sql.all<Kept>(statement, params));
  }

  async get(sql: Sql, statement: string, params?: readonly Param[]): Promise<Row<C> | null> {
    const row = await sql.get<Kept>(statement, params);
    return row === null ? null : (this.decode([row])[0] ?? null);
  }

  async page(sql: Sql, { from, params, cursor = "seq" }: PageSource, page: PageQuery): Promise<Page<Row<C>>> {
    const { above, below, direction, limit } = pageBounds(page);
    const n = params.length;
    const rows = await this.all(
      sql,
      /*sql*/ `SELECT ${this.list} FROM ${from} AND ${cursor} > ?${n + 1} AND ${cursor} < ?${n + 2}
                 ORDER BY ${cursor} ${direction} LIMIT ?${n + 3}`,
      [...params, above, below, limit],
    );
    return toPage(rows, page);
  }

  /** A page in the order of `by`, an expression over a row that is never null. */
  async sortedPage(sql: Sql, { from, params }: PageSource, by: string, page: SortedQuery): Promise<Page<Row<C>>> {
    const ascending = page.order === "asc";
    const direction = ascending !== isBackwards(page) ? "ASC" : "DESC";
    const bounds = [
      { place: page.after, beyond: ascending ? ">" : "<" },
      { place: page.before, beyond: ascending ? "<" : ">" },
    ];
    const given: Param[] = [...params];
    let conditions = "";
    for (const { place, beyond } of bounds) {
      if (place === undefined) continue;
      given.push(place.value, place.seq);
      conditions += /*sql*/ ` AND (${by}, seq) ${beyond} (?${given.length - 1}, ?${given.length})`;
    }
    given.push(page.limit + 1);
    const statement = /*sql*/ `SELECT ${this.list} FROM ${from}${conditions}
      ORDER BY ${by} ${direction}, seq ${direction} LIMIT ?${given.length}`;
    return toPage(await this.all(sql, statement, given), page);
  }

  /** Makes values of kept rows, in their place: only what is kept in another form is touched. */
  decode(rows: Kept[]): Row<C>[] {
    for (const [name, { kind, defaults }] of this.#decoded) {
      for (const row of rows) {
        const kept = row[name];
        if (kept === null || kept === undefined) continue;
        if (kind === "boolean") row[name] = kept === 1;
        else row[name] = defaults === undefined ? parse(kept) : { ...defaults, ...(parse(kept) as object) };
      }
    }
    return rows as Row<C>[];
  }
}

/** A table whose name and columns are those of the schema. */
export class Table<C extends Columns> extends Selection<C> {
  readonly name: string;

  constructor(name: string, columns: C) {
    super(columns, listOf(columns));
    this.name = name;
  }

  /** `INSERT … VALUES` of these columns, as ?1, ?2 … in their order. */
  into(...names: readonly (keyof C & string)[]): string {
    const places = names.map((_, i) => `?${i + 1}`).join(", ");
    return /*sql*/ `INSERT INTO ${this.name} (${names.join(", ")}) VALUES (${places})`;
  }

  /** What is undefined is the default. Returns the row as it then is. `onConflict`: what to do where it is there already. */
  async insert(sql: Sql, values: Changes<Row<C>>, onConflict = ""): Promise<Row<C>> {
    const [names, params] = this.#kept(values);
    const row = await this.get(sql, `${this.into(...names)} ${onConflict} RETURNING ${this.list}`, params);
    if (row === null) throw new Error("INSERT … RETURNING gave no row");
    return row;
  }

  /** Changes what is not undefined, where the columns have these values; returns the number of rows. */
  async update(sql: Sql, where: Partial<Row<C>>, changes: Changes<Row<C>>): Promise<number> {
    const [found, at] = this.#kept(where);
    const [changed, to] = this.#kept(changes);
    if (changed.length === 0) return 0;
    const set = changed.map((name, i) => `${name} = ?${at.length + i + 1}`).join(", ");
    const conditions = found.map((name, i) => `${name} = ?${i + 1}`).join(" AND ");
    return await sql.run(/*sql*/ `UPDATE ${this.name} SET ${set} WHERE ${conditions}`, [...at, ...to]);
  }

  #kept(values: Changes<Row<C>>): [names: string[], params: Param[]] {
    const given = Object.entries(values).filter(([name, value]) => value !== undefined && name in this.columns);
    return [given.map(([name]) => name), given.map(([name, value]) => encode(this.columns[name], value))];
  }
}

export type Changes<R> = { [K in keyof R]?: R[K] | undefined };

export function table<C extends Columns>(name: string, columns: C): Table<C> {
  return new Table(name, columns);
}

function listOf(columns: Columns, prefix = ""): string {
  return Object.entries(columns)
    .map(([name, { from }]) => (from === undefined ? prefix + name : `${prefix}${from} AS ${name}`))
    .join(", ");
}

function parse(kept: unknown): unknown {
  return JSON.parse(kept as string);
}

/** A value as its column keeps it. */
export function encode(of: Column<unknown> | undefined, value: unknown): Param {
  if (value === null) return null;
  if (of?.kind === "boolean") return value === true ? 1 : 0;
  return of?.kind === "json" ? JSON.stringify(value) : (value as Param);
}
