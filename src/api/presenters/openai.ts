import type { Presenter } from "./presenter.ts";
import { textMetadata } from "./presenter.ts";

/** The default: OpenAI's objects with Lectern's additions. */
export const openai: Presenter = {
  store: (store) => ({ ...store, metadata: textMetadata(store.metadata) }),
  storeFile: (file) => file,
  batch: (batch) => batch,
  search: (page) => page,
  content: (page) => page,
  model: (model) => model,
  chunk: (chunk) => chunk,
  rules: {
    nameAndModelRequired: false,
    strictMetadata: false,
    maxBatchFiles: Infinity,
    tooManyFiles: "array_above_max_length",
    deletedIsUnavailable: false,
  },
};
