import english from "@tesseract.js-data/eng/4.0.0_best_int/eng.traineddata.gz" with { type: "file" };
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";

/**
 * The languages that scans can be read in: English is in the executable, others are files that `lectern ocr add` has put
 * into the data directory. They are looked up whenever a page is read, so that a new one counts at once.
 */

/** No language's data is as large; what claims to be is not unpacked. */
export const MAX_LANGUAGE_BYTES = 256 * 2 ** 20;
const SUFFIX = ".traineddata";
/** As Tesseract names them: eng, chi_sim, deu_latf. */
export const LANGUAGE_NAME = /^[A-Za-z][A-Za-z0-9_]{1,39}$/;

/** Where a language's data is kept: a file of Tesseract, as it is or packed with gzip. */
export interface LanguageFile {
  name: string;
  path: string;
  /** Tells a file from another of the same name. */
  version: string;
}

export interface KnownLanguage extends LanguageFile {
  isBuiltIn: boolean;
  bytes: number;
}

export function languageDirectory(dataDir: string): string {
  return join(dataDir, "ocr");
}

export function languagePath(directory: string, name: string): string {
  return join(directory, name + SUFFIX);
}

/** Sorted by name; one that was added takes the place of the one built in. */
export function knownLanguages(directory: string): KnownLanguage[] {
  const builtIn: KnownLanguage = {
    name: "eng",
    path: english,
    version: "built in",
    isBuiltIn: true,
    bytes: Bun.file(english).size,
  };
  const known = new Map([[builtIn.name, builtIn]]);
  for (const name of addedNames(directory)) {
    const path = languagePath(directory, name);
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat?.isFile() !== true) continue;
    known.set(name, { name, path, version: `${stat.mtimeMs} ${stat.size}`, isBuiltIn: false, bytes: stat.size });
  }
  return [...known.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

function addedNames(directory: string): string[] {
  try {
    return readdirSync(directory)
      .filter((file) => file.endsWith(SUFFIX))
      .map((file) => file.slice(0, -SUFFIX.length))
      .filter((name) => LANGUAGE_NAME.test(name));
  } catch {
    return [];
  }
}

/** Of the languages that are wanted ("eng+deu"), those that are there, in that order, and the names of the others. */
export function findLanguages(directory: string, wanted: string): { found: LanguageFile[]; missing: string[] } {
  const known = new Map(knownLanguages(directory).map((language) => [language.name, language]));
  const names = [...new Set(wanted.split("+").filter((name) => name !== ""))];
  return {
    found: names.flatMap((name) => known.get(name) ?? []),
    missing: names.filter((name) => !known.has(name)),
  };
}

const ENTRY_OF_NETWORK = 17;
const MOST_ENTRIES = 64;

/** What is wrong with the form of a language's data, or null: a table of places, then the parts that they name. */
export function faultOfLanguage(bytes: Uint8Array): string | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 12) return "it is too small to be one";
  const entries = view.getUint32(0, true);
  const head = 4 + 8 * entries;
  if (entries < 1 || entries > MOST_ENTRIES || bytes.length < head) return "it does not begin as one does";
  const places = Array.from({ length: entries }, (_, i) => Number(view.getBigInt64(4 + 8 * i, true)));
  if (places.some((place) => place !== -1 && (place < head || place > bytes.length))) return "it is cut off or damaged";
  if ((places[ENTRY_OF_NETWORK] ?? -1) === -1)
    return "it holds no neural network (LSTM), the only kind that is read; take one of tessdata_fast or tessdata_best";
  return null;
}

/** Throws for data that unpacks to more than any language has. */
export function unpacked(bytes: Uint8Array): Uint8Array {
  const isPacked = bytes[0] === 0x1f && bytes[1] === 0x8b;
  return isPacked ? gunzipSync(bytes, { maxOutputLength: MAX_LANGUAGE_BYTES }) : bytes;
}
