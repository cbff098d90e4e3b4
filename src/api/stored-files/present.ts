import type { FileRow } from "../../storage/files.ts";
import type { Dialect } from "../../http/dialect.ts";
import type { OpenAIFile } from "./schema.ts";

/** A file as clients see it. OpenAI's schema allows no nulls here, its hosted service sends them. */
export function presentFile(row: FileRow, dialect: Dialect): OpenAIFile {
  const expires = row.expires_at === null && dialect === "openai-strict" ? {} : { expires_at: row.expires_at };
  const details = dialect === "openai-strict" ? {} : { status_details: null };
  return {
    id: row.id,
    object: "file",
    bytes: row.bytes + row.content_bytes,
    created_at: row.created_at,
    ...expires,
    filename: row.filename,
    purpose: row.purpose as OpenAIFile["purpose"],
    status: "processed",
    ...details,
  };
}
