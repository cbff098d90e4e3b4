import { openai } from "./openai.ts";
import type { Presenter } from "./presenter.ts";
import { textMetadata } from "./presenter.ts";

/** The query of a search is answered as one string; maps are never null. */
export const aqueduct: Presenter = {
  ...openai,
  store: (store) => ({ ...store, metadata: textMetadata(store.metadata) ?? {} }),
  storeFile: (file) => ({ ...file, attributes: file.attributes ?? {} }),
  search: (page) => ({ ...page, search_query: page.search_query.join(" ") }),
  rules: { ...openai.rules, keepsFolders: true },
};
