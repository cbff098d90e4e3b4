import { openai } from "./openai.ts";
import type { Presenter } from "./presenter.ts";

/** A store's `status` is its lifecycle, its metadata is free-form JSON, and requests must name a model. (Its error codes: `fightclub` of each operation.) */
export const fightclub: Presenter = {
  ...openai,
  store: (store) => ({ ...store, status: store.lifecycle ?? "active" }),
  rules: {
    nameAndModelRequired: true,
    strictMetadata: false,
    maxBatchFiles: 500,
    tooManyFiles: "too_many_files",
    keepsFolders: true,
    deletedIsUnavailable: true,
  },
};
