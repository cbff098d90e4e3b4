/**
 * Our text against that of independent programs, word by word: of the words that they find in a sound document, ours
 * holds at least 98 %. What a program is missing for is skipped, and said.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { extname, join } from "node:path";
import { afterAll, describe, expect, test } from "bun:test";
import { parseDocument } from "../../src/parse/parse.ts";
import { SAMPLES } from "../fixtures/parse/samples.ts";
import { BESIDE_FOLDER, OWN_FOLDER } from "../helpers/corpus.ts";
import { lacks } from "../helpers/lacks.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const LEAST = 0.98;

interface Extractor {
  program: string;
  /** The program's arguments for a file; its text goes to standard output. */
  args: (path: string) => string[];
  /** What it writes that is no text of the document. */
  noise?: RegExp;
  /** Text of the document in what it writes. */
  clean?: (output: string) => string;
  /** Data that the program reads the document with, which a machine may have or not have beside it. */
  needs?: { what: string; isThere: boolean };
}

const pandoc = (from: string): Extractor => ({
  program: "pandoc",
  args: (path) => ["--from", from, "--to", "plain", "--wrap=none", "--track-changes=accept", path],
  // Marks of emphasis, numbers of lists and of footnotes.
  noise: /_|~~|^\s*\d+[.)] |\[\d+\]/gm,
});
const pdftotext: Extractor = { program: "pdftotext", args: (path) => ["-q", "-enc", "UTF-8", path, "-"] };
/** Characters of a font that is not in the file: Poppler names them by tables of a package of their own. */
const pdftotextWithTables: Extractor = {
  ...pdftotext,
  needs: { what: "poppler-data", isThere: existsSync("/usr/share/poppler/cMap") },
};
const antiword: Extractor = {
  program: "antiword",
  args: (path) => ["-w", "0", "-m", "UTF-8", path],
  // Pictures, and numbers of headings and footnotes.
  noise: /\[pic\]|^\d+ (?=\p{L})|\[\d+\]/gmu,
};
const catdoc: Extractor = { program: "catdoc", args: (path) => ["-w", "-d", "utf-8", path] };
const xls2csv: Extractor = { program: "xls2csv", args: (path) => ["-q", "0", "-c", " ", "-d", "utf-8", path] };
const catppt: Extractor = {
  program: "catppt",
  args: (path) => ["-d", "utf-8", path],
  // The template's name, and the outline, which says again what the slides say.
  noise: /Blank Presentation[^]*/,
};

/** The text in the parts of a package: what stands between its tags, paragraphs parted. */
const markup = (...parts: string[]): Extractor => ({
  program: "unzip",
  args: (path) => ["-p", path, ...parts],
  clean: (xml) =>
    xml
      // Slide numbers, and what is no text.
      .replace(/<(a:fld|a:tableStyleId|p:attrName)\b[^>]*>.*?<\/\1>/gs, "")
      .replace(/<(?:\/a:p|\/c|\/si|\/text:p|\/a:br|a:br\/|text:s\/)>/g, " ")
      .replace(/<[^>]*>/g, "")
      .replace(/&lt;/g, "<")
      .replace(/&gt;/g, ">")
      .replace(/&quot;/g, '"')
      .replace(/&apos;/g, "'")
      .replace(/&amp;/g, "&"),
});
const slides = markup("ppt/slides/slide*.xml");
const openContent = markup("content.xml");

/** Sound documents of the project's own, and who else reads them. */
const OWN: readonly (readonly [name: string, by: Extractor])[] = [
  ["handbook.pdf", pdftotext],
  ["protected.pdf", pdftotext],
  ["talk.pdf", pdftotext],
  ["landscape.pdf", pdftotext],
  ["japanese.pdf", pdftotext],
  ["arabic.pdf", pdftotext],
  ["handbook-pdf.txt", pdftotext],
  ["handbook.doc", antiword],
  ["handbook.doc", catdoc],
  ["ledger.xls", xls2csv],
  ["handbook.docx", pandoc("docx")],
  ["handbook-docx.pdf", pandoc("docx")],
  ["japanese.docx", pandoc("docx")],
  ["arabic.docx", pandoc("docx")],
  ["thai.docx", pandoc("docx")],
  ["handbook.rtf", pandoc("rtf")],
  ["handbook.rtf", catdoc],
  ["handbook.odt", pandoc("odt")],
  ["talk.pptx", slides],
  ["ledger.xlsx", markup("xl/sharedStrings.xml")],
  ["ledger.ods", openContent],
  ["talk.odp", openContent],
  ["unclosed.html", pandoc("html")],
  ["manual.md", pandoc("gfm")],
];
/** Sound documents that stand beside the checkout in development. */
const BESIDE: readonly (readonly [name: string, by: Extractor])[] = [
  ["tracemonkey.pdf", pdftotext],
  ["hello_world_rotated.pdf", pdftotext],
  ["rotation.pdf", pdftotext],
  ["helloworld-bad.pdf", pdftotext],
  ["german-umlaut-r.pdf", pdftotext],
  ["copy_paste_ligatures.pdf", pdftotext],
  ["attachment.pdf", pdftotext],
  ["testPDFVarious.pdf", pdftotext],
  ["testWORD.doc", antiword],
  ["testPPT.ppt", catppt],
  ["heading123.docx", pandoc("docx")],
  ["rustbook-chapter04.docx", pandoc("docx")],
  ["bug59058.docx", pandoc("docx")],
  ["testWORD_various.docx", pandoc("docx")],
  ["edge-docx-named.pdf", pandoc("docx")],
  ["testRTFVarious.rtf", pandoc("rtf")],
  ["about_Preference_Variables.md", pandoc("gfm")],
  ["testPDF_protected.pdf", pdftotext],
  ["stress004.docx", pandoc("docx")],
  ["testWORD_2006ml.docx", pandoc("docx")],
  ["alterman_security.pptx", slides],
  ["stress022.pptx", slides],
  ["testPPT_various.pptx", slides],
  ["testPPT_comment.pptx", slides],
  ["resume.html", pandoc("html")],
  ["edge-pdf-named.txt", pdftotext],
  ["noembed-sjis.pdf", pdftotextWithTables],
  ["ArabicCIDTrueType.pdf", pdftotext],
];
const MADE: readonly (readonly [name: string, by: Extractor])[] = [
  ["notes.pdf", pdftotext],
  ["notes.xls", xls2csv],
  ["notes.ppt", catppt],
  ["notes.docx", pandoc("docx")],
  ["notes.odt", pandoc("odt")],
  ["notes.rtf", pandoc("rtf")],
  ["notes.rtf", catdoc],
  ["notes.epub", pandoc("epub")],
  ["notes.html", pandoc("html")],
  ["notes.md", pandoc("markdown")],
  ["notes.rst", pandoc("rst")],
  ["notes.tex", pandoc("latex")],
  ["notes.ipynb", pandoc("ipynb")],
  ["notes.csv", pandoc("csv")],
  ["notes.pptx", slides],
  ["notes.xlsx", markup("xl/sharedStrings.xml")],
  ["notes.ods", openContent],
  ["notes.odp", openContent],
];

const onDisk = [
  ...OWN.map((one) => [OWN_FOLDER, ...one] as const),
  ...BESIDE.map((one) => [BESIDE_FOLDER, ...one] as const),
];

const recalls: { pair: string; words: number; recall: number }[] = [];

describe(`holds at least ${LEAST} of the words`, () => {
  afterAll(() => {
    const lowest = recalls.toSorted((a, b) => a.recall - b.recall)[0];
    if (lowest === undefined) return;
    const words = recalls.reduce((sum, entry) => sum + entry.words, 0);
    console.log(
      `recall: ${recalls.length} comparisons, ${words} words, lowest ${lowest.recall.toFixed(4)} (${lowest.pair})`,
    );
  });
  for (const [folder, name, by] of onDisk) {
    const path = join(folder, name);
    if (folder === BESIDE_FOLDER && !existsSync(path)) continue;
    test.skipIf(lacks(by.program) || lacksData(by))(
      `that ${by.program} finds in ${name}`,
      async () => compare(name, new Uint8Array(readFileSync(path)), path, by),
      180_000,
    );
  }
  for (const [name, by] of MADE) {
    test.skipIf(lacks(by.program) || lacksData(by))(
      `that ${by.program} finds in a made ${name}`,
      async () => {
        using made = tempDir();
        const sample = SAMPLES.find((candidate) => candidate.name === name);
        if (sample === undefined) throw new Error(`there is no sample ${name}`);
        const path = made.join(`sample${extname(name)}`);
        writeFileSync(path, sample.bytes);
        await compare(name, sample.bytes, path, by);
      },
      180_000,
    );
  }
});

function lacksData({ needs }: Extractor): boolean {
  return needs !== undefined && lacks(needs.what, needs.isThere);
}

async function compare(name: string, bytes: Uint8Array, path: string, by: Extractor): Promise<void> {
  const child = Bun.spawn([by.program, ...by.args(path)], { stdin: "ignore", stdout: "pipe", stderr: "ignore" });
  const [theirs] = await Promise.all([child.stdout.text(), child.exited]);
  const cleaned = by.clean?.(theirs) ?? theirs;
  const wanted = wordsOf(by.noise === undefined ? cleaned : cleaned.replace(by.noise, ""));
  expect(wanted.size).toBeGreaterThan(0);
  const parsed = await parseDocument({ bytes, filename: name, contentType: null });
  if (!parsed.ok) throw new Error(parsed.error.message);
  const ours = wordsOf(parsed.document.text);
  let total = 0;
  let found = 0;
  const missing: string[] = [];
  for (const [word, count] of wanted) {
    total += count;
    const held = Math.min(count, ours.get(word) ?? 0);
    found += held;
    if (held < count) missing.push(word);
  }
  const recall = found / total;
  recalls.push({ pair: `${name} by ${by.program}`, words: total, recall });
  if (recall < LEAST)
    throw new Error(`${recall.toFixed(4)} of ${total} words; missing ${missing.slice(0, 30).join(" ")}`);
}

/**
 * Words with how often they occur: runs of letters and digits in compatibility form, with words that were divided at
 * the end of a line joined again.
 */
function wordsOf(text: string): Map<string, number> {
  const joined = text
    .normalize("NFKC")
    .replace(/\u00ad/g, "")
    .replace(/(\p{L})[-\u2010]\s*\n\s*(?=\p{Ll})/gu, "$1");
  const words = new Map<string, number>();
  for (const [word] of joined.toLowerCase().matchAll(/[\p{L}\p{M}\p{N}]+/gu))
    words.set(word, (words.get(word) ?? 0) + 1);
  return words;
}
