import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "bun:test";
import { KEYS, type StoreApp, storeApp } from "../../app/testing/store-app.ts";
import { makePdf } from "../../../test/fixtures/parse/make-pdf.ts";

const PATH = "/openwebui/process";

/** As Open WebUI's loader sends a document. */
async function load(f: StoreApp, bytes: Bun.BodyInit, headers: Record<string, string> = {}) {
  const answer = await f.call("PUT", PATH, bytes, headers);
  // Whatever happened, nothing of the document is left.
  expect([readdirSync(join(f.dataDir, "tmp")), f.blobs.list()]).toEqual([[], []]);
  return answer;
}

describe("the document loader of Open WebUI", () => {
  test("gives a document without pages as one piece, under its name", async () => {
    await using f = await storeApp();
    const { status, json } = await load(f, "# Pr\u00fcfung\n\nThe text of the note.", {
      "content-type": "text/markdown",
      "x-filename": "Pr%C3%BCfung%20%231.md",
    });
    expect([status, json]).toEqual([
      200,
      [{ page_content: "# Prüfung\n\nThe text of the note.", metadata: { source: "Prüfung #1.md" } }],
    ]);
  });

  test("gives a document with pages page by page, and leaves blank ones out", async () => {
    await using f = await storeApp();
    const page = (text: string) => ({ items: text === "" ? [] : [{ text, x: 72, y: 700 }] });
    const pdf = makePdf(["First page", "", "Third page"].map(page));
    const headers = { "content-type": "application/pdf", "x-filename": "two.pdf" };
    const { status, json } = await load(f, pdf as Uint8Array<ArrayBuffer>, headers);
    expect([status, json]).toEqual([
      200,
      [
        { page_content: "First page", metadata: { source: "two.pdf", page: 1 } },
        { page_content: "Third page", metadata: { source: "two.pdf", page: 3 } },
      ],
    ]);
  });

  test("is open to keys that may only read, and to no other; a refusal is a detail", async () => {
    await using f = await storeApp();
    expect((await load(f, "text", { authorization: `Bearer ${KEYS.read}` })).status).toBe(200);
    const none = await load(f, "text", { authorization: "Bearer sk-nobody-0123456789" });
    expect([none.status, none.json]).toEqual([401, { detail: expect.stringContaining("Incorrect API key") }]);
  });

  test("says of what holds no text in the words that let Open WebUI try its own reader", async () => {
    await using f = await storeApp();
    const bad: [Bun.BodyInit, string][] = [
      ["", "empty.txt"],
      [" \n\t\n", "blanks.txt"],
      [new Uint8Array([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0]), "program.bin"],
      ["%PDF-1.7\nbroken", "broken.pdf"],
    ];
    for (const [bytes, name] of bad) {
      const { status, json } = await load(f, bytes, { "x-filename": name });
      expect([name, status, Object.keys(json)]).toEqual([name, 422, ["detail"]]);
      expect(json.detail).toStartWith("No extractable text: ");
    }
  });

  test("refuses what is too large before it is read", async () => {
    await using f = await storeApp({ maxFileBytes: 1024 * 1024 });
    const { status, json } = await load(f, "x".repeat(1024 * 1024 + 1));
    expect([status, json.detail]).toEqual([413, expect.stringContaining("1 MiB")]);
  });

  test("counts for no quota, and leaves room on the disk", async () => {
    await using full = await storeApp({ minFreeMb: 1_000_000_000 });
    expect((await load(full, "text")).status).toBe(507);
  });

  test("takes every name that a header can hold", async () => {
    await using f = await storeApp();
    for (const name of ["%E0%A4%A", "..%2F..%2Fetc%2Fpasswd", "%00%0d%0a.txt", "", "C:\\x\\y.txt", "x".repeat(4000)]) {
      const { status, json } = await load(f, "some text", { "x-filename": name, "content-type": "nonsense" });
      expect([name, status]).toEqual([name, 200]);
      expect(json[0].metadata.source).toMatch(/^[^/\\\u0000-\u001f]{1,512}$/);
    }
  });

  test("is a PUT and nothing else", async () => {
    await using f = await storeApp();
    expect((await f.call("POST", PATH, "text")).status).toBe(404);
    const options = await f.call("OPTIONS", PATH);
    expect(options.headers.get("allow")).toBe("PUT, OPTIONS");
  });
});
