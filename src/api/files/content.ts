import type { Blobs } from "../../storage/blobs.ts";
import type { FileRow } from "../../storage/files.ts";
import { attachment, safeMime } from "../../http/filename.ts";

/**
 * A file's bytes as a download. They are somebody's upload: never shown by a browser as a page of this server
 * (attachment, no sniffing, sandboxed).
 */
export function contentResponse(row: FileRow, blobs: Pick<Blobs, "read">, request: Headers): Response {
  const headers = new Headers({
    // What older versions kept as it was sent is looked at again.
    "content-type": safeMime(row.mime ?? "") ?? "application/octet-stream",
    "content-disposition": attachment(row.filename),
    "content-security-policy": "default-src 'none'; sandbox",
    "accept-ranges": "bytes",
    etag: `"${row.sha256}"`,
  });
  const range = wantedRange(request, row);
  if (range === "none") return new Response(blobs.read(row.id), { headers: withLength(headers, row.bytes) });
  if (range === "unsatisfiable") {
    headers.set("content-range", `bytes */${row.bytes}`);
    return new Response(null, { status: 416, headers });
  }
  headers.set("content-range", `bytes ${range.start}-${range.end}/${row.bytes}`);
  const length = range.end - range.start + 1;
  const body = blobs.read(row.id, range.start, range.end + 1);
  return new Response(body, { status: 206, headers: withLength(headers, length) });
}

function withLength(headers: Headers, bytes: number): Headers {
  headers.set("content-length", String(bytes));
  return headers;
}

/** One range with inclusive ends; anything else than one well-formed range is answered with the whole (RFC 9110, 14.2). */
function wantedRange(request: Headers, row: FileRow): "none" | "unsatisfiable" | { start: number; end: number } {
  const condition = request.get("if-range");
  if (condition !== null && condition !== `"${row.sha256}"`) return "none";
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(request.get("range")?.trim() ?? "");
  if (match === null || (match[1] === "" && match[2] === "")) return "none";
  if (match[1] === "") {
    const length = Math.min(Number(match[2]), row.bytes);
    return length === 0 ? "unsatisfiable" : { start: row.bytes - length, end: row.bytes - 1 };
  }
  const start = Number(match[1]);
  const end = match[2] === "" ? row.bytes - 1 : Math.min(Number(match[2]), row.bytes - 1);
  if (start >= row.bytes) return "unsatisfiable";
  return start > end ? "none" : { start, end };
}
