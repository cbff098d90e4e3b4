/** A hit in each format says where it came from: the page, slide or sheet, or the lines of a format without them. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { parseDocument } from "../../src/parse/parse.ts";
import { makePdf } from "../fixtures/parse/make-pdf.ts";
import { PAGES, SAMPLES, WORD } from "../fixtures/parse/samples.ts";
import { json, newStore, settled, upload } from "../helpers/api.ts";
import { lacks } from "../helpers/lacks.ts";
import { runLectern, startServer } from "../helpers/server.ts";
import type { TestServer } from "../helpers/server.ts";

interface Place {
  page: number | null;
  page_end: number | null;
  line: number | null;
  line_end: number | null;
}
interface Hit extends Place {
  filename: string;
  content: { text: string }[];
}

/** Chunks of a few sentences, so that a place is one of several. */
const chunking = { type: "static", static: { max_chunk_size_tokens: 100, chunk_overlap_tokens: 0 } };

const KEPT = /\.(?:txt|md|rst|tex|json|jsonl|yaml|toml|py|log)$/;

describe("a search hit", () => {
  let server: TestServer;
  let storeId: string;
  const ids = new Map<string, string>();
  beforeAll(async () => {
    server = await startServer();
    storeId = await newStore(server, { name: "places" });
    for (const { name, bytes } of SAMPLES) {
      const id = await upload(server, name, bytes);
      ids.set(name, id);
      await json(server, "POST", `/v1/vector_stores/${storeId}/files`, { file_id: id, chunking_strategy: chunking });
    }
    for (const [name, id] of ids) {
      const { status, last_error: error } = await settled(server, storeId, id);
      expect([name, status, error]).toEqual([name, "completed", null]);
    }
  }, 120_000);
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });

  test.each(SAMPLES.map((sample) => [sample.name, sample] as const))(
    "in %s has its place",
    async (name, { bytes, page }) => {
      const { data } = await json<{ data: Hit[] }>(server, "POST", `/v1/vector_stores/${storeId}/search`, {
        query: WORD,
        search_mode: "keyword",
        max_num_results: 1,
        filters: { type: "eq", key: "filename", value: name },
      });
      const [hit] = data;
      if (hit === undefined) throw new Error("nothing was found");
      expect(hit.filename).toBe(name);
      const text = hit.content[0]?.text ?? "";
      expect(text).toContain(WORD);
      if (page !== null) {
        const shows = (sentences: readonly string[]) => sentences.some((sentence) => text.includes(sentence));
        expect(hit).toMatchObject({
          page: PAGES.findIndex(shows) + 1,
          page_end: PAGES.findLastIndex(shows) + 1,
          line: null,
          line_end: null,
        });
        return;
      }
      expect([hit.page, hit.page_end, typeof hit.line, typeof hit.line_end]).toEqual([null, null, "number", "number"]);
      const parsed = await parseDocument({ bytes, filename: name, contentType: null });
      const lines = parsed.ok ? parsed.document.text.split("\n") : [];
      const shown = lines.slice((hit.line ?? 0) - 1, hit.line_end ?? 0).join("\n");
      expect(shown).toContain(text);
      expect(shown.split("\n")).toHaveLength(text.split("\n").length);
      // Text that is kept as it is has the lines of its file.
      if (KEPT.test(name)) expect(lines).toEqual(new TextDecoder().decode(bytes).split("\n"));
    },
  );

  test.skipIf(lacks("tesseract"))("in a scan has its page, and the file says that OCR read it", async () => {
    const bytes = makePdf([{ items: [{ text: "A cover sheet.", x: 72, y: 700 }] }, { items: [], scan: "upright" }]);
    const id = await upload(server, "scan.pdf", bytes);
    await json(server, "POST", `/v1/vector_stores/${storeId}/files`, { file_id: id, chunking_strategy: chunking });
    expect(await settled(server, storeId, id)).toMatchObject({
      status: "completed",
      warnings: ["Page 2 was recognised by OCR, which misreads some words."],
    });
    const { data } = await json<{ data: Hit[] }>(server, "POST", `/v1/vector_stores/${storeId}/search`, {
      query: "ferry to the northern islands",
      max_num_results: 1,
      filters: { type: "eq", key: "filename", value: "scan.pdf" },
    });
    expect(data[0]).toMatchObject({ page_end: 2, line: null });
    expect(data[0]?.content[0]?.text).toContain("northern islands");
  });

  test("is printed with its place", async () => {
    const env = { LECTERN_URL: `${server.url}/v1`, LECTERN_API_KEY: server.key };
    const found = async (name: string) =>
      (await runLectern(["search", "places", WORD, "--limit", "1", "--filter", `filename=${name}`], { cwd: "/", env }))
        .out;
    expect(await found("notes.py")).toMatch(/^1\. notes\.py, lines \d+-\d+ {2}score /);
    expect(await found("notes.pdf")).toMatch(/^1\. notes\.pdf, pages? [12-]+ {2}score /);
  });
});
