import type { StoreRow } from "../../storage/stores.ts";
import type { Caller } from "../../http/caller.ts";
import type { Strategy } from "./input.ts";
import type { Attributes } from "./schema.ts";

/** Whose a store is, and which key made it. */
export type StoreOwner = Pick<StoreRow, "tenant_id" | "key_id">;

export interface FileToAttach {
  fileId: string;
  /** Undefined: as it is, or none. */
  attributes: Attributes | null | undefined;
  /** Null: as it is, or automatic. */
  strategy: Strategy | null;
  /** Where the id stands in the body, for errors. */
  param: string;
}

/** Which files are to be in which store, for whom. */
export interface Attaching {
  caller: Caller;
  store: StoreRow;
  wanted: readonly FileToAttach[];
  priority: 0 | 1;
}

export interface AttachingWithin extends Attaching {
  /** Files that may be in the store; null: no limit. */
  most: number | null;
}
