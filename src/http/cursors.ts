/**
 * Keeps list cursors valid after their row is gone: a client that pages through a list while rows are deleted
 * would otherwise stop at the first deleted cursor. Remembers, for the process's life, where the ends of
 * handed-out pages stood; bounded, the oldest are forgotten first.
 */
export interface Cursors {
  /** Notes the place of a page's first and last row. */
  remember(tenantId: string, rows: readonly { id: string; seq: number }[]): void;
  /** The `seq` of a row that is there no more, or undefined. */
  find(tenantId: string, id: string): number | undefined;
}

/** The same for lists whose places are more than a number. */
export interface Places<Place> {
  remember(tenantId: string, rows: readonly { id: string; place: Place }[]): void;
  find(tenantId: string, id: string): Place | undefined;
}

const MAX_ENTRIES = 50_000;

export function createCursors(): Cursors {
  const places = createPlaces<number>();
  return {
    remember(tenantId, rows) {
      const ends = [rows[0], rows.at(-1)].filter((row) => row !== undefined);
      places.remember(
        tenantId,
        ends.map(({ id, seq }) => ({ id, place: seq })),
      );
    },
    find: (tenantId, id) => places.find(tenantId, id),
  };
}

export function createPlaces<Place>(): Places<Place> {
  const places = new Map<string, Place>();
  const note = (tenantId: string, row: { id: string; place: Place } | undefined) => {
    if (row === undefined) return;
    const key = `${tenantId} ${row.id}`;
    places.delete(key);
    places.set(key, row.place);
    if (places.size <= MAX_ENTRIES) return;
    const oldest = places.keys().next();
    if (oldest.done !== true) places.delete(oldest.value);
  };
  return {
    remember(tenantId, rows) {
      note(tenantId, rows[0]);
      note(tenantId, rows.at(-1));
    },
    find: (tenantId, id) => places.get(`${tenantId} ${id}`),
  };
}
