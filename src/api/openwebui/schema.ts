import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";

export const LoadedPages = Type.Array(
  Type.Object({
    page_content: Type.String(),
    metadata: Type.Object({
      source: Type.String({ description: "The file's name." }),
      page: Type.Optional(Type.Integer({ description: "From 1, where the document has pages." })),
    }),
  }),
  { $id: "OpenWebUIDocuments", description: "One item a page; a document without pages is one item." },
);
export type LoadedPages = Static<typeof LoadedPages>;

export const LoaderError = Type.Object({ detail: Type.String() }, { $id: "OpenWebUIError" });
export type LoaderError = Static<typeof LoaderError>;
