import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import { idText } from "../../http/openai.ts";

const MAX_QUERY_CHARACTERS = 65_536;
const MAX_IDS = 1000;
const MAX_K = 100;

const Id = Type.String({ minLength: 1, maxLength: 256 });
const Ids = Type.Array(Id, { minItems: 1, maxItems: MAX_IDS });
const Query = Type.String({ minLength: 1, maxLength: MAX_QUERY_CHARACTERS });
const K = Type.Optional(
  Type.Integer({ minimum: 1, maximum: MAX_K, default: 4, description: "Passages; a search gives 50 at most." }),
);

/** Text parts of a form beside the file; others are passed over. */
export const SentFields = Type.Object({
  file_id: idText({ minLength: 1, description: "LibreChat's own id of the file." }),
  entity_id: Type.Optional(idText({ description: "Whose it is instead of the user's: an agent's, for example." })),
});
export type SentFields = Static<typeof SentFields>;

export const SentFile = Type.Object(
  {
    ...SentFields.properties,
    file: Type.Any({ type: "string", format: "binary" }),
    storage_metadata: Type.Optional(Type.String({ maxLength: 65_536, description: "Not used." })),
  },
  { $id: "LibreChatFile", maxProperties: 50 },
);

export const Embedded = Type.Object(
  {
    status: Type.Boolean({ description: "Whether it can be searched." }),
    message: Type.String(),
    file_id: Type.String(),
    filename: Type.String(),
    known_type: Type.Boolean({ description: "False for a file that nothing here can read." }),
  },
  { $id: "LibreChatEmbedded" },
);
export type Embedded = Static<typeof Embedded>;

export const SentText = Type.Object(
  { text: Type.String(), file_id: Type.String(), filename: Type.String(), known_type: Type.Boolean() },
  { $id: "LibreChatText" },
);
export type SentText = Static<typeof SentText>;

export const QueryBody = Type.Object(
  { query: Query, file_id: Id, k: K, entity_id: Type.Optional(idText()) },
  { $id: "LibreChatQuery", additionalProperties: false },
);
export type QueryBody = Static<typeof QueryBody>;

export const QueryManyBody = Type.Object(
  { query: Query, file_ids: Ids, k: K },
  { $id: "LibreChatQueryMultiple", additionalProperties: false },
);
export type QueryManyBody = Static<typeof QueryManyBody>;

export const DeleteBody = Type.Array(Id, { $id: "LibreChatFileIds", minItems: 1, maxItems: MAX_IDS });
export type DeleteBody = Static<typeof DeleteBody>;

export const IdsQuery = Type.Object({
  ids: Type.Array(Id, { minItems: 1, maxItems: MAX_IDS, description: "LibreChat's own ids of files." }),
});

const Document = Type.Object(
  {
    page_content: Type.String(),
    metadata: Type.Object({
      file_id: Type.String({ description: "LibreChat's own id." }),
      user_id: Type.String(),
      source: Type.String({ description: "The file's name." }),
      page: Type.Optional(Type.Integer({ description: "From 0." })),
    }),
  },
  { $id: "LibreChatDocument" },
);
export type LibreChatDocument = Static<typeof Document>;

export const Documents = Type.Array(Document, { $id: "LibreChatDocuments" });

export const Hits = Type.Array(Type.Tuple([Document, Type.Number({ description: "1 − score: the nearest first." })]), {
  $id: "LibreChatHits",
});
export type Hits = Static<typeof Hits>;

export const Message = Type.Object({ message: Type.String() }, { $id: "LibreChatMessage" });
export const Health = Type.Object({ status: Type.Literal("UP") }, { $id: "LibreChatHealth" });
export const IdList = Type.Array(Type.String(), { $id: "LibreChatIds" });
export const Detail = Type.Object({ detail: Type.String() }, { $id: "LibreChatError" });
export type Detail = Static<typeof Detail>;
