import type { Caller } from "../http/caller.ts";
import type { StoreRow } from "../storage/stores.ts";
import type { Within } from "./attaching/attach.ts";
import type { DialectRules } from "./presenters/presenter.ts";
import type { CreateStoreBody } from "./store-schema.ts";

/** Makes a vector store as part of the caller's transaction. */
export type MakeStore = (at: Within) => Promise<StoreRow>;

/** Vector stores for features that make them beside something else. */
export interface StoreMaker {
  /** Throws what can be told before; what it gives makes the store and attaches `file_ids`, or does neither. */
  plan(caller: Caller, body: CreateStoreBody, rules: DialectRules): Promise<MakeStore>;
}
