import { readFileSync, statSync } from "node:fs";
import { isReadableLanguage } from "../workers/ocr-bundled.ts";
import { faultOfLanguage, type LanguageFile, MAX_LANGUAGE_BYTES } from "../workers/ocr-languages.ts";

/** Why a file is no language's data for OCR, or null: its form first, then the engine itself, in a process of its own. */
export async function faultOfFile({ name, path }: Pick<LanguageFile, "name" | "path">): Promise<string | null> {
  if (statSync(path).size > MAX_LANGUAGE_BYTES) return "it is larger than any is";
  const fault = faultOfLanguage(readFileSync(path));
  if (fault !== null) return fault;
  const version = `trial ${process.pid}`;
  return (await isReadableLanguage({ name, path, version })) ? null : "the engine cannot load it";
}
