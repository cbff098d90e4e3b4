/**
 * pdf.js leaves rejected promises behind when it repairs a damaged file: it goes on, but nobody
 * looks at them, and an unhandled rejection ends a worker. They are told by their names and dropped;
 * any other rejection is thrown on as it would be without this.
 */
const PDF_REJECTIONS = new Set([
  "AbortException",
  "FormatError",
  "InvalidPDFException",
  "JpegError",
  "MissingDataException",
  "ParserEOFException",
  "PasswordException",
  "RenderingCancelledException",
  "UnknownErrorException",
  "XRefEntryException",
  "XRefParseException",
]);

let installed = false;

/** Once per thread, before the first PDF is read. */
export function dropStrayRejections(): void {
  if (installed) return;
  installed = true;
  process.on("unhandledRejection", (reason: unknown) => {
    if (isPdfRejection(reason)) return;
    queueMicrotask(() => {
      throw reason;
    });
  });
}

function isPdfRejection(reason: unknown): boolean {
  return typeof reason === "object" && reason !== null && "name" in reason && PDF_REJECTIONS.has(String(reason.name));
}
