import { existsSync, readdirSync } from "node:fs";
import { extname, join } from "node:path";
import { unzipSync } from "fflate";
import { Parser } from "htmlparser2";
import { parseDocument } from "../../src/parse/parse.ts";
import { closePdf, openPdf } from "../../src/parse/pdf/pdfjs.ts";
import { makeDocx, makePptx, makeXlsx } from "../fixtures/parse/make-office.ts";
import { linesAt, makePdf } from "../fixtures/parse/make-pdf.ts";
import { PAGES, SAMPLES } from "../fixtures/parse/samples.ts";
import { ROOT } from "../helpers/server.ts";
import { type Bench, type BenchContext, median, rate, round } from "./bench.ts";
import { Words } from "./corpus.ts";

interface Sample {
  name: string;
  bytes: Uint8Array;
  /** Pages, slides or sheets, where the format has them. */
  pages?: number;
  /** The library that does the hard part, alone. */
  bare?: { name: string; run: (bytes: Uint8Array) => unknown };
}

const TURNS = 3;
const DOCUMENTS = join(ROOT, "../shared/data/docs");
const MEGABYTE = 1e6;

const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const pdfJs = { name: "pdf.js, text alone", run: (bytes: Uint8Array) => bareText(bytes) };
const unzip = { name: "fflate, unpacking alone", run: (bytes: Uint8Array) => unzipSync(bytes) };
const htmlTokens = {
  name: "htmlparser2, tokens alone",
  run: (bytes: Uint8Array) => new Parser({ ontext: () => {} }, { decodeEntities: true }).end(decode(bytes)),
};
const utf8 = { name: "TextDecoder", run: decode };
const jsonParse = { name: "JSON.parse", run: (bytes: Uint8Array) => JSON.parse(decode(bytes)) as unknown };

export const parse: Bench = {
  about:
    "documents to text with structure in one thread, beside the library below it alone; median of 3 that take turns",
  minutes: 5,
  async run(context) {
    const samples = makeSamples(context.scale === "small" ? 0.05 : 1);
    for (const sample of samples) await trial(context, sample.name, [sample], sample.bare);
    if (existsSync(DOCUMENTS)) await realDocuments(context);
    else context.note("no folder of real documents beside the checkout: left out");
    await smallDocuments(context);
  },
};

/** Documents of one kind, all of them in each round. */
async function trial(
  { report, note, scale }: BenchContext,
  name: string,
  samples: readonly Sample[],
  bare: Sample["bare"],
): Promise<void> {
  const seconds = scale === "small" ? 0.1 : 0.5;
  const total = samples.reduce((sum, { bytes }) => sum + bytes.length, 0);
  const pages = samples.reduce((sum, sample) => sum + (sample.pages ?? 0), 0);
  const once = async (): Promise<number> => {
    for (const sample of samples) {
      // A copy, as a file read anew is: PDF.js takes the buffer over.
      const result = await parseDocument({ bytes: sample.bytes.slice(), filename: sample.name, contentType: null });
      if (!result.ok) throw new Error(`${sample.name}: ${result.error.message}`);
    }
    return total;
  };
  const alone = async (): Promise<number> => {
    for (const sample of samples) await bare?.run(sample.bytes.slice());
    return total;
  };
  try {
    await once();
    await alone();
  } catch (error) {
    return note(`${name}: ${error instanceof Error ? error.message : String(error)}`);
  }
  const ours: number[] = [];
  const library: number[] = [];
  for (let turn = 0; turn < TURNS; turn++) {
    ours.push(await rate(seconds, once));
    if (bare !== undefined) library.push(await rate(seconds, alone));
  }
  const pagesPerSecond = (bytesPerSecond: number) => (pages === 0 ? null : round((bytesPerSecond / total) * pages));
  report({
    trial: name,
    file_mb: round(total / MEGABYTE),
    mb_per_s: round(median(ours) / MEGABYTE),
    pages_per_s: pagesPerSecond(median(ours)),
    beside: bare?.name ?? null,
    bare_mb_per_s: bare === undefined ? null : round(median(library) / MEGABYTE),
    bare_pages_per_s: bare === undefined ? null : pagesPerSecond(median(library)),
    share_of_bare: bare === undefined ? null : round(median(ours) / median(library)),
  });
}

async function bareText(bytes: Uint8Array): Promise<unknown> {
  const document = await openPdf(bytes, { enableXfa: false });
  const pages: unknown[] = [];
  for (let number = 1; number <= document.numPages; number++)
    pages.push(await (await document.getPage(number)).getTextContent());
  await closePdf(document);
  return pages;
}

/** Self-made documents of some hundred pages each; the same at every run. */
function makeSamples(size: number): Sample[] {
  const words = new Words(1);
  const count = (n: number) => Math.max(2, Math.round(n * size));
  const line = () => words.text(12);
  const text = Array.from({ length: count(4000) }, () => words.text(60)).join("\n\n");
  const bytes = (content: string) => new TextEncoder().encode(content);
  const paragraphs = text.split("\n\n");
  const pages = count(150);
  const pdf = makePdf(
    Array.from({ length: pages }, () => ({ items: linesAt(Array.from({ length: 45 }, line), 72, 740, 10, 15) })),
  );
  const docx = makeDocx(paragraphs.map((one) => `<w:p><w:r><w:t>${one}</w:t></w:r></w:p>`).join(""));
  const slides = count(200);
  const pptx = makePptx(
    Array.from({ length: slides }, () => ({
      shapes: `<p:sp><p:txBody>${Array.from({ length: 6 }, () => `<a:p><a:r><a:t>${line()}</a:t></a:r></a:p>`).join("")}</p:txBody></p:sp>`,
    })),
  );
  const row = (i: number) =>
    `<row r="${i + 1}">${["A", "B", "C"].map((column) => `<c r="${column}${i + 1}" t="inlineStr"><is><t>${line()}</t></is></c>`).join("")}</row>`;
  const xlsx = makeXlsx([{ name: "Data", rows: Array.from({ length: count(5000) }, (_, i) => row(i)).join("") }]);
  const html = `<html><body>${paragraphs.map((one, i) => `${i % 10 === 0 ? `<h2>${line()}</h2>` : ""}<p>${one}</p>`).join("\n")}</body></html>`;
  const markdown = paragraphs.map((one, i) => (i % 10 === 0 ? `## ${line()}\n\n${one}` : one)).join("\n\n");
  const json = JSON.stringify(paragraphs.map((body, id) => ({ id, title: line(), body })));
  const csv = ["id,title,body", ...paragraphs.map((one, i) => `${i},"${line()}","${one}"`)].join("\n");
  return [
    { name: "report.pdf", bytes: pdf, pages, bare: pdfJs },
    { name: "report.docx", bytes: docx, bare: unzip },
    { name: "talk.pptx", bytes: pptx, pages: slides, bare: unzip },
    { name: "table.xlsx", bytes: xlsx, pages: 1, bare: unzip },
    { name: "page.html", bytes: bytes(html), bare: htmlTokens },
    { name: "notes.md", bytes: bytes(markdown), bare: utf8 },
    { name: "notes.txt", bytes: bytes(text), bare: utf8 },
    { name: "data.json", bytes: bytes(json), bare: jsonParse },
    { name: "data.csv", bytes: bytes(csv), bare: utf8 },
  ];
}

/** Which library each kind of real documents rests on; the others are read by Lectern's own code. */
const LIBRARIES: Record<string, Sample["bare"]> = {
  ".pdf": pdfJs,
  ".docx": unzip,
  ".pptx": unzip,
  ".xlsx": unzip,
  ".html": htmlTokens,
  ".md": utf8,
  ".txt": utf8,
  ".java": utf8,
  ".go": utf8,
  ".py": utf8,
  ".rs": utf8,
};

/** All readable documents of a kind in one row: real files are slower than made ones. */
async function realDocuments(context: BenchContext): Promise<void> {
  const kinds = new Map<string, Sample[]>();
  for (const name of readdirSync(DOCUMENTS)) {
    if (/^(edge-|poc-|bomb|MANIFEST)|fuzzed|protected/.test(name)) continue;
    const bytes = await Bun.file(join(DOCUMENTS, name)).bytes();
    const result = await parseDocument({ bytes: bytes.slice(), filename: name, contentType: null });
    if (!result.ok) continue;
    const sample: Sample = { name, bytes, pages: result.document.pages?.length ?? 0 };
    kinds.set(extname(name), [...(kinds.get(extname(name)) ?? []), sample]);
  }
  for (const [kind, samples] of [...kinds].toSorted(([a], [b]) => (a < b ? -1 : 1)))
    await trial(context, `${samples.length} real ${kind}`, samples, LIBRARIES[kind]);
}

/** One small document of each format that has no large one above: what a file costs at least. */
async function smallDocuments(context: BenchContext): Promise<void> {
  for (const { name, bytes, page } of SAMPLES) {
    if (/\.(?:pdf|docx|pptx|xlsx|html|md|txt|json|csv)$/.test(name)) continue;
    await trial(
      context,
      `small ${name}`,
      [{ name, bytes, ...(page === null ? {} : { pages: PAGES.length }) }],
      undefined,
    );
  }
}
