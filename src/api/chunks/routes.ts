import { Type } from "@sinclair/typebox";
import { AppError } from "../../errors.ts";
import { cursorQuery, idText, listPage, listSchema, readCursor } from "../../http/openai.ts";
import type { Line } from "../../http/lines.ts";
import type { Call, Operation } from "../../http/operation.ts";
import { HUGE_BODY, NO_BODY, VECTOR_LINES } from "../../http/body-limit.ts";
import { operation } from "../../http/operation.ts";
import { longList } from "../../http/long-list.ts";
import { presenterFor } from "../presenters/choose.ts";
import { askingOf } from "../asking.ts";
import { presentWithId } from "../presenters/presenter.ts";
import type { VectorInserter } from "./insert.ts";
import { insertLines } from "./insert-lines.ts";
import {
  Chunk,
  InsertedLines,
  InsertedVector,
  InsertedVectors,
  InsertVectorBody,
  InsertVectorsBody,
  MAX_CONTENTS_CHARACTERS,
} from "./schema.ts";
import type { ChunksService } from "./service.ts";

const STORE = "/v1/vector_stores/{vector_store_id}";
const ERRORS = [
  "vector_store_not_found",
  "vector_store_expired",
  "vector_store_suspended",
  "file_not_found",
  "invalid_dimensions",
  "embedding_model_unavailable",
  "overloaded",
] as const;
/** What other servers' clients send along. */
const FOREIGN = ["id", "provider_id", "extra_body"];

export function chunkOperations(chunks: ChunksService, inserter: VectorInserter): Operation[] {
  return [
    operation(
      {
        method: "GET",
        path: `${STORE}/chunks`,
        operationId: "listVectorStoreChunks",
        summary: "List the chunks of a vector store",
        tag: "Lectern",
        role: "read",
        bodyLimit: NO_BODY,
        query: Type.Object({
          file_id: Type.Optional(idText({ description: "Only chunks of this file." })),
          filters: Type.Optional(Type.String({ maxLength: 65_536, description: "Filters as in a search, as JSON." })),
          ...cursorQuery(),
        }),
        response: listSchema(Chunk, "VectorStoreChunkList"),
        returns: "A page of chunks",
        errors: ["vector_store_not_found", "invalid_value", "invalid_filter"],
      },
      async (call) => {
        const { chunk } = presenterFor(call.dialect);
        const page = await chunks.list(askingOf(call), call.query, readCursor(call.query));
        return listPage(page.data.map(presentWithId(chunk)), page.hasMore, call.dialect);
      },
    ),
    operation(
      {
        method: "POST",
        path: `${STORE}/embeddings`,
        operationId: "insertVectorStoreEmbedding",
        summary: "Add a text with a ready-made vector",
        description: "Without `embedding` the text is embedded here. It is searchable when the answer comes.",
        tag: "Lectern",
        role: "write",
        body: InsertVectorBody,
        bodyLimit: HUGE_BODY,
        foreignKeys: FOREIGN,
        response: InsertedVector,
        returns: "The chunk that was made",
        errors: ERRORS,
        examples: { body: { content: "Returns are accepted within 30 days.", metadata: { category: "support" } } },
      },
      async (call) => {
        const [made] = await inserter.insert(askingOf(call), { bodies: [call.body], prefix: () => "" }, call.signal);
        if (made === undefined) throw new Error("an insert of one text gave nothing");
        return made;
      },
    ),
    operation(
      {
        method: "POST",
        path: `${STORE}/embeddings/batch`,
        operationId: "insertVectorStoreEmbeddings",
        summary: "Add many texts with ready-made vectors",
        description:
          "All or none. A body of `application/x-ndjson` has one embedding a line, any number of them, and is put in while it " +
          "comes, in runs: the answer says how many stand. A line that is not as it should be is named, by its number, and " +
          "ends it; what stands before it stays (`inserted` beside the `error` says how many).",
        tag: "Lectern",
        role: "write",
        body: InsertVectorsBody,
        bodyLimit: HUGE_BODY,
        foreignKeys: FOREIGN,
        response: InsertedVectors,
        returns: "The chunks that were made, in order",
        errors: ERRORS,
        examples: { body: { embeddings: [{ content: "Returns are accepted within 30 days." }] } },
        lines: {
          line: InsertVectorBody,
          limit: VECTOR_LINES,
          description: "One embedding a line of at most 1 MiB.",
          example: '{"content":"Returns are accepted within 30 days.","metadata":{"page":4}}\n',
          response: InsertedLines,
        },
      },
      async (call) => {
        if (call.lines !== null) return await inserted(inserter, call, call.lines);
        refuseTooMuchText(call.body);
        const request = { bodies: call.body.embeddings, prefix: (i: number) => `embeddings[${i}].` };
        const data = await inserter.insert(askingOf(call), request, call.signal);
        return longList({ object: "embedding.batch" }, data, { created_at: data[0]?.created_at ?? 0 });
      },
    ),
  ];
}

async function inserted(
  inserter: VectorInserter,
  call: Call<{ vector_store_id: string }>,
  lines: AsyncIterable<Line<InsertVectorBody>>,
): Promise<InsertedLines> {
  const { signal, stopping } = call;
  call.keepOpen();
  const since = performance.now();
  const asking = async () => askingOf({ ...call, caller: await call.callerNow() });
  try {
    const count = await insertLines(inserter, { lines, asking, signal, stopping });
    return { object: "embedding.stream", vector_store_id: call.params.vector_store_id, inserted: count };
  } finally {
    // It takes as long as the client takes to send.
    call.held(performance.now() - since);
  }
}

function refuseTooMuchText({ embeddings }: InsertVectorsBody): void {
  const characters = embeddings.reduce((sum, { content }) => sum + content.length, 0);
  if (characters <= MAX_CONTENTS_CHARACTERS) return;
  const text = `Invalid 'embeddings': too much text. Expected at most ${MAX_CONTENTS_CHARACTERS} characters of content altogether, but got ${characters} instead.`;
  throw new AppError("string_above_max_length", text, { param: "embeddings" });
}
