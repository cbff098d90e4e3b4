import { AppError } from "../errors.ts";
import type { AppErrorOptions } from "../errors.ts";

/** What clients call the things that they name by an id; each has an error code of its own. */
const NOUNS = {
  deletion: "deletion",
  eval: "evaluation",
  judgment: "judgment",
  key: "API key",
  migration: "migration",
  tenant: "tenant",
  upload: "upload",
} as const;

/** As much of an unknown id as an answer repeats. */
const SHOWN_CHARACTERS = 100;

export function notFound(kind: keyof typeof NOUNS, id: string, options: AppErrorOptions = {}): AppError {
  return new AppError(
    `${kind}_not_found`,
    `No ${NOUNS[kind]} found with id '${id.slice(0, SHOWN_CHARACTERS)}'`,
    options,
  );
}
