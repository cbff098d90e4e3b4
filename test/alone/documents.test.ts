/**
 * Documents through the API, the project's own and the real and awkward ones that lie beside the checkout in
 * development: each one ends with the right text or with a reason that a person understands, a small text beside it is
 * not held up, the server lives, and its memory comes back.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { json, newStore, settled, upload } from "../helpers/api.ts";
import { DOCUMENTS_BESIDE, OWN_DOCUMENTS } from "../helpers/corpus.ts";
import type { CorpusDocument } from "../helpers/corpus.ts";
import { memoryOf, mebibytes } from "../helpers/process-memory.ts";
import { startServer } from "../helpers/server.ts";
import type { TestServer } from "../helpers/server.ts";
import { waitFor } from "../helpers/wait.ts";
import { EXPECTED } from "./expected.ts";
import type { Expectation } from "./expected.ts";

const documents = [...OWN_DOCUMENTS, ...DOCUMENTS_BESIDE];
/** A large or a usual one of several formats. */
const WARMING = new Set([
  ...["handbook.pdf", "talk.ppt", "page.html", "manual.md", "tide.go"],
  ...["tracemonkey.pdf", "resume.html", "about_Preference_Variables.md", "engine.go"],
]);

function expectationOf({ name, expected }: CorpusDocument): Expectation | undefined {
  if (!OWN_DOCUMENTS.some((own) => own.name === name)) return EXPECTED[name];
  if ("refused" in expected) return { fails: new RegExp(RegExp.escape(expected.refused)) };
  return { text: expected.has ?? [] };
}

const BOUND = 64 * 2 ** 20;

describe("documents", () => {
  let server: TestServer;
  let storeId: string;
  let warmBytes = 0;
  beforeAll(async () => {
    server = await startServer({ env: { LECTERN_MAX_FILE_PARSE_SECONDS: "20", LECTERN_OCR: "off" } });
    storeId = await newStore(server, { name: "corpus" });
    // Warmed up: every parser and the model have run.
    for (const { name, path } of documents.filter(({ name }) => WARMING.has(name))) {
      const id = await attach(name, Bun.file(path));
      expect((await settled(server, storeId, id)).status).toBe("completed");
    }
    warmBytes = memoryOf(server.pid).residentBytes;
  }, 120_000);
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });

  async function attach(name: string, content: Blob | string): Promise<string> {
    const id = await upload(server, name, content);
    await json(server, "POST", `/v1/vector_stores/${storeId}/files`, { file_id: id });
    return id;
  }

  test.each(documents.map((document) => [document.name, document] as const))(
    "%s",
    async (name, document) => {
      const id = await upload(server, name, Bun.file(document.path));
      const small = await upload(server, "small.txt", `A small text beside ${name}.`);
      const startedMs = performance.now();
      await json(server, "POST", `/v1/vector_stores/${storeId}/files`, { file_id: id });
      await json(server, "POST", `/v1/vector_stores/${storeId}/files`, { file_id: small });
      expect((await settled(server, storeId, small)).status).toBe("completed");
      expect(performance.now() - startedMs).toBeLessThan(2000);

      const file = await settled(server, storeId, id, 60_000);
      const wanted = expectationOf(document);
      if (file.status === "completed") {
        const content = await json<{ data: { text: string }[] }>(
          server,
          "GET",
          `/v1/vector_stores/${storeId}/files/${id}/content`,
        );
        const text = content.data.map((part) => part.text).join("");
        expect(text.trim().length).toBeGreaterThan(0);
        expect(text).not.toContain("\0");
        if (wanted && "fails" in wanted)
          throw new Error(`it was to fail (${wanted.fails}) and gave ${JSON.stringify(text.slice(0, 200))}`);
        for (const phrase of wanted?.text ?? []) expect(text.replace(/\s+/g, " ")).toContain(phrase);
      } else {
        expect(file.status).toBe("failed");
        expect(["invalid_file", "unsupported_file"]).toContain(file.last_error?.code ?? "");
        const message = file.last_error?.message ?? "";
        expect(message).toMatch(/^[A-Z].{15,}\.$/);
        expect(message).not.toMatch(/Error:|undefined|\bat .*:\d+|\/(?:tmp|home|root)\//);
        if (wanted && "text" in wanted) throw new Error(`it was to give text and failed: ${message}`);
        if (wanted) expect(message).toMatch(wanted.fails);
      }
      expect((await server.fetch("/healthz")).status).toBe(200);
    },
    90_000,
  );

  test("memory comes back to within 64 MiB of its warmed-up value in 30 s", async () => {
    const after = await waitFor(
      `resident memory is within 64 MiB of ${mebibytes(warmBytes)} MiB`,
      () => {
        const { residentBytes } = memoryOf(server.pid);
        return residentBytes - warmBytes < BOUND ? residentBytes : undefined;
      },
      30_000,
    ).catch((error: Error) => {
      throw new Error(`${error.message}; it is ${mebibytes(memoryOf(server.pid).residentBytes)} MiB`);
    });
    console.log(
      `resident memory: warmed up ${mebibytes(warmBytes)} MiB, after ${documents.length} documents ${mebibytes(after)} MiB, peak ${mebibytes(memoryOf(server.pid).peakBytes)} MiB`,
    );
  }, 180_000);
});
