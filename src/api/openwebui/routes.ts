import type { BytesLimit } from "../../http/body-limit.ts";
import { operation, type Operation, type RefusalShape } from "../../http/operation.ts";
import { LoadedPages, LoaderError } from "./schema.ts";
import type { LoaderService } from "./service.ts";

const REFUSAL: RefusalShape = {
  schema: LoaderError,
  status(code, usual) {
    if (code === "unsupported_file") return 422;
    return code === "request_timeout" ? 504 : usual;
  },
  // By these words Open WebUI knows that it may try a reader of its own.
  body: ({ code, message }): LoaderError => ({
    detail: code === "unsupported_file" ? `No extractable text: ${message}` : message,
  }),
};

export function loaderOperations(service: LoaderService, limit: BytesLimit): Operation[] {
  return [
    operation(
      {
        method: "PUT",
        path: "/openwebui/process",
        operationId: "loadForOpenWebUI",
        summary: "Read a document, as Open WebUI asks its external document loader",
        description:
          "Open WebUI appends `/process` to the address that is entered there: `http://…/openwebui`. The document is read, with OCR where pages are scanned, and not kept. Answered within `--openwebui-seconds` (28), or 504.",
        tag: "Other programs",
        role: "read",
        bytes: "The document. `Content-Type` and `X-Filename` (percent-encoded) say what it is.",
        bodyLimit: limit,
        response: LoadedPages,
        returns: "Its text, page by page",
        errors: ["unsupported_file", "request_timeout", "insufficient_storage", "overloaded"],
        refusal: REFUSAL,
      },
      async ({ request, caller, signal }) => await service.load(caller, request, signal),
    ),
  ];
}
