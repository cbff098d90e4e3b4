import { nextTurn } from "../../platform/next-turn.ts";
import type { FileAttributes } from "../../storage/store-files.ts";
import type { Storage } from "../../storage/storage.ts";
import type { StoreAccess } from "../store-access.ts";
import type { Asking } from "../asking.ts";
import { type Attribute, MOST_CHUNKS, MOST_FILES, MOST_VALUES, type StoreAttributes } from "./schema.ts";

export interface AttributesDeps extends Pick<Storage, "storeFiles" | "chunks" | "generations"> {
  access: StoreAccess;
}

/** Which attributes the files and chunks of a store have, for whoever builds a filter. */
export interface AttributesService {
  of(asking: Asking): Promise<StoreAttributes>;
}

type Value = FileAttributes[string];

/** Files, or chunks, of one turn of the event loop. */
const SLICE = 250;
/** Different attributes, and different values of one, that are counted; a checksum has as many values as there are files. */
const MOST_KEYS = 256;
const COUNTED_VALUES = 1000;

export function attributesService({ storeFiles, chunks, generations, access }: AttributesDeps): AttributesService {
  return {
    async of(asking) {
      const store = await access.open(asking);
      const generation = await generations.liveOf(store);
      const counts = new Map<string, Counted>();
      const files = await readAll(MOST_FILES, counts, async (before, limit) => {
        const rows = await storeFiles.attributesBefore(store.tenant_id, store.id, before, limit);
        return rows.map(({ seq, attributes }) => ({ at: seq, kind: "files", attributes }));
      });
      const own = await readAll(MOST_CHUNKS, counts, async (before, limit) => {
        const rows = generation === null ? [] : await chunks.attributesBefore(generation, before, limit);
        return rows.map(({ chunk_id: at, attributes }) => ({ at, kind: "chunks", attributes }));
      });
      return {
        object: "list",
        data: shown(counts),
        files_read: files.read,
        chunks_read: own.read,
        has_more: files.hasMore || own.hasMore,
      };
    },
  };
}

interface Described {
  /** By which they are ordered. */
  at: number;
  kind: "files" | "chunks";
  attributes: FileAttributes | null;
}

/** Counts what the newest say of themselves, so many at most. */
async function readAll(
  most: number,
  counts: Map<string, Counted>,
  rowsBefore: (before: number, limit: number) => Promise<Described[]>,
): Promise<{ read: number; hasMore: boolean }> {
  let [read, before] = [0, Number.MAX_SAFE_INTEGER];
  for (;;) {
    const rows = await rowsBefore(before, SLICE);
    for (const { kind, attributes } of rows)
      for (const pair of Object.entries(attributes ?? {})) count(counts, kind, pair);
    read += rows.length;
    before = rows.at(-1)?.at ?? before;
    if (rows.length < SLICE) return { read, hasMore: false };
    if (read >= most) return { read, hasMore: (await rowsBefore(before, 1)).length > 0 };
    await nextTurn();
  }
}

interface Counted {
  files: number;
  chunks: number;
  types: Set<"string" | "number" | "boolean">;
  values: Map<Value, number>;
}

function count(counts: Map<string, Counted>, kind: Described["kind"], [key, value]: [string, Value]): void {
  let counted = counts.get(key);
  if (counted === undefined) {
    if (counts.size >= MOST_KEYS) return;
    counted = { files: 0, chunks: 0, types: new Set(), values: new Map() };
    counts.set(key, counted);
  }
  counted[kind] += 1;
  counted.types.add(typeof value as "string" | "number" | "boolean");
  const before = counted.values.get(value);
  if (before !== undefined || counted.values.size < COUNTED_VALUES) counted.values.set(value, (before ?? 0) + 1);
}

function shown(counts: ReadonlyMap<string, Counted>): Attribute[] {
  const all = [...counts].map(([key, { files, chunks, types, values }]): Attribute => {
    const [type = "string", ...others] = types;
    const sorted = [...values].toSorted(([a, m], [b, n]) => n - m || (String(a) < String(b) ? -1 : 1));
    return {
      key,
      type: others.length > 0 ? "mixed" : type,
      files,
      chunks,
      values: sorted.slice(0, MOST_VALUES).map(([value, n]) => ({ value, count: n })),
    };
  });
  return all.toSorted((a, b) => b.files + b.chunks - a.files - a.chunks || (a.key < b.key ? -1 : 1));
}
