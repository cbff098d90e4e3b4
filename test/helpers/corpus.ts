/** Documents that tests read: the project's own, and, where they stand beside the checkout, real and awkward ones. */
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import manifest from "../fixtures/corpus/manifest.json" with { type: "json" };
import { READ, REFUSED } from "../corpus/beside.ts";

/** What a document that can be read must give. */
export interface ReadDocument {
  kind: string;
  /** Parts of the text, in this order, white space as single blanks. */
  has?: string[];
  hasNot?: string[];
  title?: string;
  pages?: number;
  /** Page on which the first of `has` stands. */
  page?: number;
  headings?: string[];
  warning?: string;
  encoding?: string;
  author?: string;
}

export type Expectation = ReadDocument | { refused: string };

export interface CorpusDocument {
  name: string;
  path: string;
  expected: Expectation;
}

export const OWN_FOLDER = join(import.meta.dir, "../fixtures/corpus/documents");
/** CORPUS names another folder. */
export const BESIDE_FOLDER = resolve(import.meta.dir, "../..", process.env["CORPUS"] ?? "../shared/data/docs");

export const OWN_DOCUMENTS: readonly CorpusDocument[] = documentsOf(
  OWN_FOLDER,
  manifest as Record<string, Expectation>,
);

/** None where the folder is not there. */
export const DOCUMENTS_BESIDE: readonly CorpusDocument[] = existsSync(BESIDE_FOLDER)
  ? documentsOf(BESIDE_FOLDER, {
      ...READ,
      ...Object.fromEntries(Object.entries(REFUSED).map(([name, refused]) => [name, { refused }])),
    })
  : [];

export function bytesOf({ path }: CorpusDocument): Uint8Array {
  return new Uint8Array(readFileSync(path));
}

function documentsOf(folder: string, expected: Readonly<Record<string, Expectation>>): CorpusDocument[] {
  return Object.entries(expected).map(([name, one]) => ({ name, path: join(folder, name), expected: one }));
}
