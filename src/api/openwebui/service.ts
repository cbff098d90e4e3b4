import { AppError } from "../../errors.ts";
import type { Caller } from "../../http/caller.ts";
import { displayName, safeMime } from "../../http/filename.ts";
import { readRawBody } from "../../http/raw-body.ts";
import type { BytesLimit } from "../../http/body-limit.ts";
import { type ReadPages, readSent } from "../stored-files/reading.ts";
import type { FileStoring } from "../stored-files/storing.ts";
import type { LoadedPages } from "./schema.ts";

export interface LoaderDeps {
  files: Pick<FileStoring, "begin">;
  readPages: ReadPages;
  limit: BytesLimit;
  /** So long the client is let wait. Read at every request. */
  patienceMs: () => number;
}

/** What a document says, for Open WebUI, which keeps and searches it by itself. */
export interface LoaderService {
  load(caller: Caller, request: Request, signal: AbortSignal): Promise<LoadedPages>;
}

export function loaderService({ files, readPages, limit, patienceMs }: LoaderDeps): LoaderService {
  return {
    async load(caller, request, signal) {
      const late = lateness(patienceMs());
      const over = AbortSignal.any([signal, late.signal]);
      const { headers } = request;
      const bytes = Math.min(Number(headers.get("content-length") ?? "0") || 0, limit.bytes);
      // Nothing of it stays: quotas have no part in it, the disk has.
      const incoming = await files.begin({ owner: caller, bytes, areNew: false });
      try {
        const unwanted = AbortSignal.any([over, incoming.signal]);
        await readRawBody(request, { limit, sink: (chunk) => incoming.write(chunk), unwanted });
        const filename = nameOf(headers.get("x-filename"));
        const sent = { incoming, filename, contentType: safeMime(headers.get("content-type") ?? "") };
        if (incoming.bytes === 0) throw new AppError("unsupported_file", "The document is empty.");
        const pages = await readSent(readPages, sent, { tenant: caller.tenantId, signal: over });
        return pages.map(({ page, text }) => ({
          page_content: text,
          metadata: { source: filename, ...(page === null ? {} : { page }) },
        }));
      } finally {
        late.stop();
        await incoming.discard();
      }
    },
  };
}

/** Whoever waits shall hear why there is nothing, before they leave. */
function lateness(patienceMs: number): { signal: AbortSignal; stop: () => void } {
  const controller = new AbortController();
  const seconds = patienceMs / 1000;
  const text = `The document could not be read within ${seconds} seconds. Split it, or let Open WebUI and --openwebui-seconds wait for longer.`;
  const timer = setTimeout(() => controller.abort(new AppError("request_timeout", text)), patienceMs);
  return { signal: controller.signal, stop: () => clearTimeout(timer) };
}

/** The name as Open WebUI sends it, percent-encoded; one that is not is taken as it is. */
function nameOf(sent: string | null): string {
  if (sent === null) return displayName(undefined);
  try {
    return displayName(decodeURIComponent(sent));
  } catch {
    return displayName(sent);
  }
}
