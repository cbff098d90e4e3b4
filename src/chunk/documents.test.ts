import { readdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { describe, expect, test } from "bun:test";
import { BESIDE_FOLDER, bytesOf, DOCUMENTS_BESIDE, OWN_DOCUMENTS } from "../../test/helpers/corpus.ts";
import type { CorpusDocument, ReadDocument } from "../../test/helpers/corpus.ts";
import { decodeDocument, encodeDocument } from "../parse/codec.ts";
import { parseDocument } from "../parse/parse.ts";
import { chunkDocument } from "./chunk.ts";

const documents = [...OWN_DOCUMENTS, ...DOCUMENTS_BESIDE];

describe("documents that can be read", () => {
  for (const document of documents) {
    const { expected } = document;
    if ("refused" in expected) continue;
    test(`${document.name} is read right`, async () => await expectRead(document, expected), 180_000);
  }
});

async function expectRead(file: CorpusDocument, expected: ReadDocument): Promise<void> {
  const result = await parseDocument({ bytes: bytesOf(file), filename: file.name, contentType: "text/plain" });
  if (!result.ok) throw new Error(`${result.error.code}: ${result.error.message}`);
  const { document } = result;
  expect(document.kind).toBe(expected.kind);
  const flat = document.text.replace(/\s+/g, " ");
  let from = 0;
  for (const part of expected.has ?? []) {
    const at = flat.indexOf(part, from);
    if (at < 0) throw new Error(`"${part}" is not in the text after offset ${from}: ${flat.slice(from, from + 300)}`);
    from = at;
  }
  for (const part of expected.hasNot ?? []) expect(flat).not.toContain(part);
  if (expected.title !== undefined) expect(document.title).toBe(expected.title);
  if (expected.pages !== undefined) expect(document.pages).toHaveLength(expected.pages);
  if (expected.warning !== undefined) expect(document.warnings).toContain(expected.warning);
  if (expected.encoding !== undefined) expect(document.metadata["encoding"]).toBe(expected.encoding);
  if (expected.author !== undefined) expect(document.metadata["author"]).toBe(expected.author);
  const headings = document.headings.map(({ text }) => text);
  for (const heading of expected.headings ?? []) expect(headings).toContain(heading);
  const chunks = chunkDocument(document, { maxTokens: 800, overlapTokens: 400 });
  expect(chunks.length).toBeGreaterThan(0);
  if (expected.page !== undefined) expect(chunks[0]!.page).toBe(expected.page);
  expect(decodeDocument(encodeDocument(document))).toEqual(document);
}

describe("documents that cannot be read", () => {
  for (const document of documents) {
    const { name, expected } = document;
    if (!("refused" in expected)) continue;
    test(`${name} is refused with a reason`, async () => {
      const result = await parseDocument({ bytes: bytesOf(document), filename: name, contentType: null });
      expect(result.ok).toBe(false);
      if (result.ok) return;
      expect(result.error.code).toBe("invalid_file");
      expect(result.error.message).toContain(expected.refused);
    }, 180_000);
  }
});

test("every document of the corpus has its expectation", () => {
  const [first] = OWN_DOCUMENTS;
  const names = readdirSync(dirname(first?.path ?? ""));
  expect(OWN_DOCUMENTS.map(({ name }) => name).toSorted()).toEqual(names.toSorted());
  if (DOCUMENTS_BESIDE.length === 0) return;
  const listed = readFileSync(`${BESIDE_FOLDER}/MANIFEST.tsv`, "utf8").trim().split("\n").slice(1);
  expect(DOCUMENTS_BESIDE.map(({ name }) => name).toSorted()).toEqual(
    listed.map((line) => line.split("\t")[0] ?? "").toSorted(),
  );
});
