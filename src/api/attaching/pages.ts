import type { Cursor } from "../../http/openai.ts";
import type { Page, PageQuery } from "../../storage/page.ts";
import type { StoreFileRow } from "../../storage/store-files.ts";
import type { StoreRow } from "../../storage/stores.ts";
import type { VectorStoreFile } from "./schema.ts";

export interface StoreFilePage {
  data: VectorStoreFile[];
  hasMore: boolean;
}

/** Lists of files as they are in a store, for whoever has such a list. */
export interface StoreFilePages {
  /** One page of a list of this store's files; `read` is the list. */
  page(
    store: StoreRow,
    cursor: Cursor,
    read: (query: PageQuery) => Promise<Page<StoreFileRow>>,
  ): Promise<StoreFilePage>;
}
