import type { ListPlacesTable } from "../storage/list-places.ts";

/**
 * Keeps list cursors valid after their row is gone: a client that pages through a list while rows are deleted
 * would otherwise stop at the first deleted cursor. Remembers, for the process's life, where the ends of
 * handed-out pages stood; bounded, the oldest are forgotten first.
 */
export interface Cursors {
  /** Notes the place of a page's first and last row. `owner` begins with the tenant's id; the list's own may follow. */
  remember(owner: string, rows: readonly { id: string; seq: number }[]): void;
  /** The `seq` of a row that is there no more, or undefined. */
  find(owner: string, id: string): number | undefined | Promise<number | undefined>;
}

/** The same for lists whose places are more than a number. */
export interface Places<Place> {
  remember(owner: string, rows: readonly { id: string; place: Place }[]): void;
  find(owner: string, id: string): Place | undefined;
}

const MAX_ENTRIES = 50_000;

/** `shared` null: this server has its database alone. */
export function createCursors(shared: ListPlacesTable | null = null): Cursors {
  return shared === null ? new OwnCursors() : new SharedCursors(shared);
}

class OwnCursors implements Cursors {
  readonly #places = createPlaces<number>();

  remember(owner: string, rows: readonly { id: string; seq: number }[]): void {
    this.#places.remember(
      owner,
      endsOf(rows).map(({ id, seq }) => ({ id, place: seq })),
    );
  }

  find(owner: string, id: string): number | undefined {
    return this.#places.find(owner, id);
  }
}

/** Nobody goes on from a page that is older. */
const KEPT_SECONDS = 3600;
const TRIM_EVERY_MS = 600_000;
const TRIMMED = 10_000;
/** A page's ends are noted while it is on its way; a client that is quicker is waited for. */
const AGAIN_MS = 250;

/**
 * Where servers share a database, also in rows for an hour: a page comes from one server, and the row at its end is deleted
 * and gone on from at others. Noted beside the answer, and only what this server has not noted before.
 */
class SharedCursors implements Cursors {
  readonly #own = new OwnCursors();
  readonly #table: ListPlacesTable;
  #trimmedAt = performance.now();

  constructor(table: ListPlacesTable) {
    this.#table = table;
  }

  remember(owner: string, rows: readonly { id: string; seq: number }[]): void {
    const news = endsOf(rows).filter(({ id, seq }) => this.#own.find(owner, id) !== seq);
    this.#own.remember(owner, rows);
    if (news.length === 0) return;
    const places = news.map(({ id, seq }) => ({ name: nameOf(owner, id), seq }));
    // A cursor that is lost is a page asked for again.
    void this.#table.note(tenantOf(owner), places).catch(() => {});
    if (performance.now() - this.#trimmedAt < TRIM_EVERY_MS) return;
    this.#trimmedAt = performance.now();
    void this.#table.trim(KEPT_SECONDS, TRIMMED).catch(() => {});
  }

  async find(owner: string, id: string): Promise<number | undefined> {
    const own = this.#own.find(owner, id);
    if (own !== undefined) return own;
    const name = nameOf(owner, id);
    const found = await this.#table.find(tenantOf(owner), name);
    if (found !== undefined) return found;
    await Bun.sleep(AGAIN_MS);
    return await this.#table.find(tenantOf(owner), name);
  }
}

function tenantOf(owner: string): string {
  return owner.split(" ", 1)[0] ?? owner;
}

function nameOf(owner: string, id: string): string {
  return `${owner.slice(tenantOf(owner).length + 1)} ${id}`;
}

/** The first and the last; one where there is one. */
function endsOf<Row extends { id: string }>(rows: readonly Row[]): Row[] {
  const [first] = rows;
  const last = rows.at(-1);
  if (first === undefined || last === undefined) return [];
  return first.id === last.id ? [first] : [first, last];
}

export function createPlaces<Place>(): Places<Place> {
  const places = new Map<string, Place>();
  const note = (owner: string, row: { id: string; place: Place }) => {
    const key = `${owner} ${row.id}`;
    places.delete(key);
    places.set(key, row.place);
    if (places.size <= MAX_ENTRIES) return;
    const oldest = places.keys().next();
    if (oldest.done !== true) places.delete(oldest.value);
  };
  return {
    remember(owner, rows) {
      for (const row of endsOf(rows)) note(owner, row);
    },
    find: (owner, id) => places.get(`${owner} ${id}`),
  };
}
