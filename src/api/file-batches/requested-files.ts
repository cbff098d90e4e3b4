import { AppError } from "../../errors.ts";
import type { DialectRules } from "../presenters/presenter.ts";
import type { FileToAttach } from "../attaching/attach-request.ts";
import type { Attributes } from "../attaching/schema.ts";
import { readAttributes, readStrategy } from "../attaching/input.ts";
import type { CreateBatchBody } from "./schema.ts";

/**
 * Attributes that are given once for all files are kept with each, and all is written in one piece while others wait: so
 * much of it at most, where the rows of a file take as long as so many bytes. OpenAI's most files with its longest
 * attributes are less.
 */
const MAX_WRITTEN_BYTES = 5.5 * 1024 * 1024;
const ROWS_BYTES = 2048;

/** The files of a batch, however the body names them. Throws a 400 where there are too many, or none is named. */
export function requestedFiles(
  body: CreateBatchBody,
  most: number,
  tooMany: DialectRules["tooManyFiles"],
): FileToAttach[] {
  const { file_ids: ids, files } = body;
  if (ids !== undefined && files !== undefined) {
    throw new AppError("invalid_value", "Invalid 'files': 'file_ids' and 'files' are mutually exclusive.", {
      param: "files",
    });
  }
  const given = ids ?? files;
  const param = files === undefined ? "file_ids" : "files";
  if (given === undefined) {
    throw new AppError("missing_required_parameter", "Missing required parameter: 'file_ids'.", { param: "file_ids" });
  }
  if (given.length > most) {
    throw new AppError(
      tooMany,
      `Invalid '${param}': array too long. Expected an array with maximum length ${most}, but got an array with length ${given.length} instead.`,
      { param },
    );
  }
  if (files !== undefined) {
    return files.map((file, i) => ({
      fileId: file.file_id,
      attributes: readAttributes(file, `files[${i}].`),
      strategy: readStrategy(file.chunking_strategy, `files[${i}].chunking_strategy`),
      param: `files[${i}].file_id`,
    }));
  }
  const attributes = readAttributes(body);
  if (attributes) refuseTooLarge(attributes, given.length);
  const strategy = readStrategy(body.chunking_strategy, "chunking_strategy");
  return (ids ?? []).map((fileId) => ({ fileId, attributes, strategy, param: "file_ids" }));
}

function refuseTooLarge(attributes: Attributes, files: number): void {
  const bytes = Buffer.byteLength(JSON.stringify(attributes));
  const most = Math.floor(MAX_WRITTEN_BYTES / (bytes + ROWS_BYTES));
  if (files <= most) return;
  const text = `Invalid 'attributes': they take ${bytes} bytes and are kept with each of ${files} files. Attach at most ${most} files at once with them.`;
  throw new AppError("invalid_value", text, { param: "attributes" });
}
