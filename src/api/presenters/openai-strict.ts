import { openai } from "./openai.ts";
import type { Presenter } from "./presenter.ts";
import { textMetadata } from "./presenter.ts";

/** OpenAI's published schemas and nothing beside them. */
export const openaiStrict: Presenter = {
  ...openai,
  store: ({
    id,
    object,
    created_at,
    name,
    usage_bytes,
    file_counts,
    status,
    expires_after,
    expires_at,
    last_active_at,
    metadata,
  }) => ({
    id,
    object,
    created_at,
    name,
    usage_bytes,
    file_counts,
    status,
    // The schema allows no null here.
    ...(expires_after ? { expires_after } : {}),
    expires_at: expires_at ?? null,
    last_active_at,
    metadata: textMetadata(metadata),
  }),
  storeFile: ({
    id,
    object,
    usage_bytes,
    created_at,
    vector_store_id,
    status,
    last_error,
    chunking_strategy,
    attributes,
  }) => ({
    id,
    object,
    usage_bytes,
    created_at,
    vector_store_id,
    status,
    last_error,
    chunking_strategy,
    attributes,
  }),
  search: (page) => ({
    ...page,
    data: page.data.map(({ file_id, filename, score, attributes, content }) => ({
      file_id,
      filename,
      score,
      attributes,
      content,
    })),
  }),
  content: ({ object, data, has_more, next_page }) => ({ object, data, has_more, next_page }),
  model: ({ id, object, created, owned_by }) => ({ id, object, created, owned_by }),
  rules: { ...openai.rules, strictMetadata: true, openaiRankersOnly: true, typedOnly: true },
};
