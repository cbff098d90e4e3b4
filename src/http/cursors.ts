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

const MAX_ENTRIES = 50_000;

export function createCursors(): Cursors {
  const places = new Map<string, number>();
  const note = (tenantId: string, row: { id: string; seq: number } | undefined) => {
    if (row === undefined) return;
    const key = `${tenantId} ${row.id}`;
    places.delete(key);
    places.set(key, row.seq);
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
