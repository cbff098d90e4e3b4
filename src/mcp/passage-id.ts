/**
 * Ids of what is found, opaque to clients: the store, the file, and either the place of a chunk in it (`12`) or a part of
 * its text (`part-3`, the third).
 */
export interface PassageId {
  storeId: string;
  fileId: string;
  place: { chunk: number } | { part: number };
}

const ID = /^([\w-]{1,128}):([\w-]{1,128}):(part-)?(\d{1,9})$/;

export function passageId({ storeId, fileId, place }: PassageId): string {
  return `${storeId}:${fileId}:${"chunk" in place ? place.chunk : `part-${place.part}`}`;
}

/** Null for what is none. */
export function readPassageId(text: string): PassageId | null {
  const [, storeId, fileId, part, number] = ID.exec(text) ?? [];
  if (storeId === undefined || fileId === undefined) return null;
  const at = Number(number);
  return { storeId, fileId, place: part === undefined ? { chunk: at } : { part: at } };
}
