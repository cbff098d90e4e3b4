import { AppError } from "../../errors.ts";
import { type FormLimit, LARGE_BODY, MEDIUM_BODY, NO_BODY } from "../../http/body-limit.ts";
import type { Caller } from "../../http/caller.ts";
import { displayName, safeMime } from "../../http/filename.ts";
import { readMultipart } from "../../http/multipart.ts";
import { type Call, type Operation, operation, type RefusalShape } from "../../http/operation.ts";
import { assertValid, compileValidator } from "../../http/validate.ts";
import type { FileStoring } from "../stored-files/storing.ts";
import {
  DeleteBody,
  Detail,
  Documents,
  Embedded,
  Health,
  Hits,
  IdList,
  IdsQuery,
  Message,
  QueryBody,
  QueryManyBody,
  SentFields,
  SentFile,
  SentText,
} from "./schema.ts";
import type { Asked, LibreChatService, SentDocument } from "./service.ts";
import type { UserOf } from "./tokens.ts";

export interface LibreChatRoutes {
  service: LibreChatService;
  userOf: UserOf;
  /** For whom LibreChat's requests are made, once its signature was found right. */
  callerOf: () => Promise<Caller>;
  files: Pick<FileStoring, "begin">;
  limit: FormLimit;
}

/** As FastAPI tells it. */
const REFUSAL: RefusalShape = { schema: Detail, body: ({ message }): Detail => ({ detail: message }) };
const FORM_ERRORS = [
  "missing_required_parameter",
  "invalid_multipart",
  "payload_too_large",
  "request_timeout",
  "unsupported_file",
  "insufficient_storage",
  "overloaded",
] as const;
const SEARCH_ERRORS = ["embedding_model_unavailable", "embedding_provider_error", "overloaded"] as const;

const common = { tag: "Other programs", refusal: REFUSAL } as const;
const fieldsValidator = compileValidator(SentFields);

export function librechatOperations(routes: LibreChatRoutes): Operation[] {
  const { service, limit } = routes;
  const signed = (made: Operation): Operation => ({
    ...made,
    async identify(headers) {
      routes.userOf(headers);
      return await routes.callerOf();
    },
  });
  const asked = ({ caller, request, signal, stopping }: Pick<Call, "caller" | "request" | "signal" | "stopping">) =>
    ({ caller, user: routes.userOf(request.headers), signal, stopping }) satisfies Asked;
  return [
    operation(
      {
        ...common,
        method: "GET",
        path: "/librechat/health",
        operationId: "librechatHealth",
        summary: "Whether the server is up, as LibreChat asks",
        role: "none",
        bodyLimit: NO_BODY,
        response: Health,
      },
      () => ({ status: "UP" }),
    ),
    ...[
      operation(
        {
          ...common,
          method: "POST",
          path: "/librechat/embed",
          operationId: "librechatEmbed",
          summary: "Keep a file of LibreChat's and make it searchable",
          description:
            "Answers when the file can be found. The same `file_id` again replaces what was there. LibreChat's `RAG_API_URL` is `http://…/librechat`; its requests are signed with its `JWT_SECRET`.",
          role: "write",
          multipart: SentFile,
          bodyLimit: limit,
          response: Embedded,
          returns: "Whether it can be searched",
          errors: [...FORM_ERRORS, "storage_limit_reached", "file_limit_reached", "vector_store_suspended"],
        },
        async (call) => await withFile(call, routes, (sent) => service.embed(asked(call), sent)),
      ),
      operation(
        {
          ...common,
          method: "POST",
          path: "/librechat/text",
          operationId: "librechatText",
          summary: "Read a file of LibreChat's without keeping it",
          role: "write",
          multipart: SentFile,
          bodyLimit: limit,
          response: SentText,
          returns: "Its text",
          errors: FORM_ERRORS,
        },
        async (call) => await withFile(call, routes, (sent) => service.text(asked(call), sent)),
      ),
      operation(
        {
          ...common,
          method: "POST",
          path: "/librechat/query",
          operationId: "librechatQuery",
          summary: "Search in a file of LibreChat's",
          description: "A file of somebody else's is answered with an empty list.",
          role: "read",
          body: QueryBody,
          bodyLimit: LARGE_BODY,
          response: Hits,
          returns: "Passages with their distance, the nearest first",
          errors: SEARCH_ERRORS,
          examples: { body: { query: "What is the return policy?", file_id: "5f0c1d2e", k: 4 } },
        },
        ({ body, ...call }) => service.query(asked(call), body),
      ),
      operation(
        {
          ...common,
          method: "POST",
          path: "/librechat/query_multiple",
          operationId: "librechatQueryMultiple",
          summary: "Search in several files of LibreChat's",
          role: "read",
          body: QueryManyBody,
          bodyLimit: LARGE_BODY,
          response: Hits,
          returns: "Passages with their distance, the nearest first",
          errors: [...SEARCH_ERRORS, "file_not_found"],
          examples: { body: { query: "What is the return policy?", file_ids: ["5f0c1d2e"] } },
        },
        ({ body, ...call }) => service.queryMany(asked(call), body),
      ),
      operation(
        {
          ...common,
          method: "DELETE",
          path: "/librechat/documents",
          operationId: "librechatDeleteDocuments",
          summary: "Delete files of LibreChat's",
          role: "write",
          body: DeleteBody,
          bodyLimit: MEDIUM_BODY,
          response: Message,
          errors: ["file_not_found"],
          examples: { body: ["5f0c1d2e"] },
        },
        async ({ body, ...call }) => ({ message: await service.remove(asked(call), body) }),
      ),
      operation(
        {
          ...common,
          method: "GET",
          path: "/librechat/documents",
          operationId: "librechatDocuments",
          summary: "Texts of files of LibreChat's",
          role: "read",
          bodyLimit: NO_BODY,
          query: IdsQuery,
          response: Documents,
          returns: "The text of each file",
          errors: ["file_not_found"],
        },
        ({ query, ...call }) => service.documents(asked(call), query.ids),
      ),
      operation(
        {
          ...common,
          method: "GET",
          path: "/librechat/documents/{document_id}/context",
          operationId: "librechatContext",
          summary: "The text of a file of LibreChat's, as one JSON string",
          role: "read",
          bodyLimit: NO_BODY,
          response: { mediaType: "application/json", description: "The text, as a JSON string." },
          errors: ["file_not_found"],
        },
        async ({ params, ...call }) => {
          const [document] = await service.documents(asked(call), [params.document_id]);
          return Response.json(document?.page_content ?? "");
        },
      ),
      operation(
        {
          ...common,
          method: "GET",
          path: "/librechat/ids",
          operationId: "librechatIds",
          summary: "Ids of the user's files of LibreChat's",
          role: "read",
          bodyLimit: NO_BODY,
          response: IdList,
        },
        (call) => service.ids(asked(call)),
      ),
    ].map(signed),
  ];
}

/** Takes the form's file to the disk and hands it on; it is gone afterwards unless it was kept. */
async function withFile<T>(
  { request, caller, keepOpen }: Pick<Call, "request" | "caller" | "keepOpen">,
  { files, limit }: LibreChatRoutes,
  use: (sent: SentDocument) => Promise<T>,
): Promise<T> {
  keepOpen();
  const bytes = Math.min(Number(request.headers.get("content-length") ?? "0") || 0, limit.fileBytes);
  const incoming = await files.begin({ owner: caller, bytes, areNew: true });
  try {
    const sink = (chunk: Uint8Array) => incoming.write(chunk);
    const form = await readMultipart(request, { fileField: "file", limit, sink, unwanted: incoming.signal });
    const known = form.fields.filter(([name, value]) => Object.hasOwn(SentFields.properties, name) && value !== "");
    const fields = Object.fromEntries(known);
    assertValid(fieldsValidator, fields);
    if (form.file === null)
      throw new AppError("missing_required_parameter", "Missing required parameter: 'file'.", { param: "file" });
    const { file_id: fileId, entity_id: entityId } = fields as SentFields;
    const { filename, mimeType } = form.file;
    return await use({
      incoming,
      filename: displayName(filename),
      mime: safeMime(mimeType),
      fileId,
      entityId: entityId ?? null,
    });
  } finally {
    await incoming.discard();
  }
}
