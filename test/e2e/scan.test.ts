/** The binary reads scans with what is inside it, on a machine that has no other program for that. */
import { expect, test } from "bun:test";
import { makePdf } from "../fixtures/parse/make-pdf.ts";
import { makeScanTiff, SCAN_TEXT } from "../fixtures/parse/scan.ts";
import { waitFor } from "../helpers/wait.ts";
import { place, serve, type Server } from "./binary.ts";

const NO_PROGRAMS = { PATH: "/nowhere" };

function json(body: unknown): RequestInit {
  return { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}

async function upload(server: Server, name: string, bytes: Uint8Array): Promise<string> {
  const form = new FormData();
  form.set("purpose", "assistants");
  form.set("file", new File([bytes], name));
  const answer = await server.request("/v1/files", { method: "POST", body: form });
  expect(answer.status).toBe(200);
  return ((await answer.json()) as { id: string }).id;
}

interface StoreFile {
  status: string;
  warnings?: string[];
}

test("a scanned PDF and an image are indexed and found without a tesseract on the PATH", async () => {
  using where = place();
  await using server = await serve(where, { env: NO_PROGRAMS });
  const pdf = await upload(server, "scan.pdf", makePdf([{ items: [] }, { items: [], scan: "sideways", rotate: 90 }]));
  const tiff = await upload(server, "fax.tif", makeScanTiff(2));
  const made = await server.request("/v1/vector_stores", json({ name: "scans", file_ids: [pdf, tiff] }));
  const store = (await made.json()) as { id: string };
  const finished = (file: string) =>
    waitFor(
      `${file} is indexed`,
      async () => {
        const answer = await server.request(`/v1/vector_stores/${store.id}/files/${file}`);
        const row = (await answer.json()) as StoreFile;
        return row.status === "in_progress" ? undefined : row;
      },
      200_000,
    );
  expect(await finished(pdf)).toMatchObject({
    status: "completed",
    warnings: ["Page 2 was recognised by OCR, which misreads some words."],
  });
  expect((await finished(tiff)).status).toBe("completed");
  const content = await server.request(`/v1/vector_stores/${store.id}/files/${pdf}/content`);
  const { data } = (await content.json()) as { data: { text: string }[] };
  expect(
    data
      .map((part) => part.text)
      .join("")
      .replace(/\s+/g, " "),
  ).toBe(SCAN_TEXT);
  const found = await server.request(
    `/v1/vector_stores/${store.id}/search`,
    json({ query: "when does the ferry leave" }),
  );
  const hits = (await found.json()) as { data: { filename: string }[] };
  expect(hits.data.map((hit) => hit.filename).sort()).toEqual(["fax.tif", "scan.pdf"]);
}, 240_000);

test("with OCR switched off an image is no file that is read", async () => {
  using where = place();
  await using server = await serve(where, { env: NO_PROGRAMS, args: ["--ocr", "off"] });
  const file = await upload(server, "fax.tif", makeScanTiff(1));
  const made = await server.request("/v1/vector_stores", json({ name: "scans", file_ids: [file] }));
  const store = (await made.json()) as { id: string };
  const status = await waitFor("the file has ended", async () => {
    const answer = await server.request(`/v1/vector_stores/${store.id}/files/${file}`);
    const row = (await answer.json()) as { status: string; last_error: { code: string } | null };
    return row.status === "in_progress" ? undefined : `${row.status} ${row.last_error?.code ?? ""}`;
  });
  expect(status).toBe("failed unsupported_file");
});
