/**
 * Real and awkward documents through the API: each one ends with the right text or with a reason that a person
 * understands, a small text beside it is not held up, the server lives, and its memory comes back.
 * The documents lie beside the checkout; where they do not, this is skipped.
 */
import { existsSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { json, newStore, settled, upload } from "../helpers/api.ts";
import { memoryOf, mebibytes } from "../helpers/process-memory.ts";
import { ROOT, startServer } from "../helpers/server.ts";
import type { TestServer } from "../helpers/server.ts";
import { waitFor } from "../helpers/wait.ts";
import { EXPECTED } from "./expected.ts";

const FOLDER = resolve(ROOT, process.env["CORPUS"] ?? "../shared/data/docs");
const present = existsSync(FOLDER);
const names = present
  ? readdirSync(FOLDER)
      .filter((name) => name !== "MANIFEST.tsv")
      .toSorted()
  : [];
if (!present) console.log(`skipped: there are no documents at ${FOLDER}`);

const BOUND = 64 * 2 ** 20;

describe.skipIf(!present)("documents", () => {
  let server: TestServer;
  let storeId: string;
  let warmBytes = 0;
  beforeAll(async () => {
    server = await startServer({ env: { LECTERN_MAX_FILE_PARSE_SECONDS: "20", LECTERN_OCR: "off" } });
    storeId = await newStore(server, { name: "corpus" });
    // Warmed up: every parser and the model have run.
    for (const name of ["tracemonkey.pdf", "resume.html", "about_Preference_Variables.md", "engine.go"].filter((name) =>
      names.includes(name),
    )) {
      const id = await attach(name, Bun.file(join(FOLDER, name)));
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

  test.each(names)(
    "%s",
    async (name) => {
      const id = await upload(server, name, Bun.file(join(FOLDER, name)));
      const small = await upload(server, "small.txt", `A small text beside ${name}.`);
      const startedMs = performance.now();
      await json(server, "POST", `/v1/vector_stores/${storeId}/files`, { file_id: id });
      await json(server, "POST", `/v1/vector_stores/${storeId}/files`, { file_id: small });
      expect((await settled(server, storeId, small)).status).toBe("completed");
      expect(performance.now() - startedMs).toBeLessThan(2000);

      const file = await settled(server, storeId, id, 60_000);
      const wanted = EXPECTED[name];
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
      `resident memory: warmed up ${mebibytes(warmBytes)} MiB, after ${names.length} documents ${mebibytes(after)} MiB, peak ${mebibytes(memoryOf(server.pid).peakBytes)} MiB`,
    );
  }, 180_000);
});
