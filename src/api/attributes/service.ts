import { nextTurn } from "../../platform/next-turn.ts";
import type { FileAttributes } from "../../storage/store-files.ts";
import type { Storage } from "../../storage/storage.ts";
import type { StoreAccess } from "../store-access.ts";
import type { Asking } from "../asking.ts";
import { type Attribute, MOST_FILES, MOST_VALUES, type StoreAttributes } from "./schema.ts";

export interface AttributesDeps extends Pick<Storage, "storeFiles"> {
  access: StoreAccess;
}

/** Which attributes the files of a store have, for whoever builds a filter. */
export interface AttributesService {
  of(asking: Asking): Promise<StoreAttributes>;
}

type Value = FileAttributes[string];

/** Files of one turn of the event loop. */
const SLICE = 250;
/** Different attributes, and different values of one, that are counted; a checksum has as many values as there are files. */
const MOST_KEYS = 256;
const COUNTED_VALUES = 1000;

export function attributesService({ storeFiles, access }: AttributesDeps): AttributesService {
  return {
    async of(asking) {
      const store = await access.open(asking);
      const counts = new Map<string, Counted>();
      let [read, before] = [0, Number.MAX_SAFE_INTEGER];
      for (;;) {
        const rows = await storeFiles.attributesBefore(store.tenant_id, store.id, before, SLICE);
        for (const { attributes } of rows)
          for (const [key, value] of Object.entries(attributes ?? {})) count(counts, key, value);
        read += rows.length;
        before = rows.at(-1)?.seq ?? before;
        if (rows.length < SLICE || read >= MOST_FILES) break;
        await nextTurn();
      }
      const hasMore =
        read >= MOST_FILES && (await storeFiles.attributesBefore(store.tenant_id, store.id, before, 1)).length > 0;
      return { object: "list", data: shown(counts), files_read: read, has_more: hasMore };
    },
  };
}

interface Counted {
  files: number;
  types: Set<"string" | "number" | "boolean">;
  values: Map<Value, number>;
}

function count(counts: Map<string, Counted>, key: string, value: Value): void {
  let counted = counts.get(key);
  if (counted === undefined) {
    if (counts.size >= MOST_KEYS) return;
    counted = { files: 0, types: new Set(), values: new Map() };
    counts.set(key, counted);
  }
  counted.files += 1;
  counted.types.add(typeof value as "string" | "number" | "boolean");
  const before = counted.values.get(value);
  if (before !== undefined || counted.values.size < COUNTED_VALUES) counted.values.set(value, (before ?? 0) + 1);
}

function shown(counts: ReadonlyMap<string, Counted>): Attribute[] {
  const all = [...counts].map(([key, { files, types, values }]): Attribute => {
    const [type = "string", ...others] = types;
    const sorted = [...values].toSorted(([a, m], [b, n]) => n - m || (String(a) < String(b) ? -1 : 1));
    return {
      key,
      type: others.length > 0 ? "mixed" : type,
      files,
      values: sorted.slice(0, MOST_VALUES).map(([value, n]) => ({ value, count: n })),
    };
  });
  return all.toSorted((a, b) => b.files - a.files || (a.key < b.key ? -1 : 1));
}
