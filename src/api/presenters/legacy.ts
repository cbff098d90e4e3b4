import { openai } from "./openai.ts";
import type { Presenter } from "./presenter.ts";

/** OpenAI's documents of 2024: another name of the batch object, `cancelling`, the query as a string. */
export const legacy: Presenter = {
  ...openai,
  batch: (batch, cancelling) => ({
    ...batch,
    object: "vector_store.file_batch",
    status: cancelling ? "cancelling" : batch.status,
  }),
  search: (page) => ({ ...page, search_query: page.search_query.join(" ") }),
};
