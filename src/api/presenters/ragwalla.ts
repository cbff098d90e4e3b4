import { openai } from "./openai.ts";
import type { Presenter } from "./presenter.ts";

/** `content` of a result is a string, a batch is a `vector_store.file_batch` that may be `cancelling`. */
export const ragwalla: Presenter = {
  ...openai,
  storeFile: (file) => ({ ...file, metadata: file.attributes ?? {} }),
  batch: (batch, cancelling) => ({
    ...batch,
    object: "vector_store.file_batch",
    status: cancelling ? "cancelling" : batch.status,
  }),
  search: (page) => ({
    ...page,
    search_query: page.search_query.join(" "),
    data: page.data.map((result) => ({
      ...result,
      content: result.content.map(({ text }) => text).join("\n"),
    })),
  }),
  rules: { ...openai.rules, keepsFolders: true },
};
