import { describe, expect, test } from "bun:test";
import { formLimit } from "./body-limit.ts";
import { readMultipart } from "./multipart.ts";

const TYPE = "multipart/form-data; boundary=q";
const part = (disposition: string, content: string, more = "") =>
  `--q\r\ncontent-disposition: form-data; ${disposition}\r\n${more}\r\n${content}\r\n`;
const file = (content: string, name = "file") => part(`name="${name}"; filename="a.txt"`, content);

function read(body: string | ReadableStream<Uint8Array>, fileBytes = 1000) {
  const request = new Request("http://localhost/", { method: "POST", headers: { "content-type": TYPE }, body });
  return readMultipart(request, { fileField: "file", limit: formLimit(fileBytes), sink: async () => {} });
}

describe("a form", () => {
  test("gives its text fields and its file", async () => {
    const form = await read(`${part('name="purpose"', "assistants")}${file("words")}--q--\r\n`);
    expect(form).toEqual({
      fields: [["purpose", "assistants"]],
      file: { filename: "a.txt", mimeType: "text/plain" },
    });
  });

  test.each(["x-unknown", "utf-99", ""])("with a field in the charset '%s' is read or refused", async (charset) => {
    const field = part('name="purpose"', "assistants", `content-type: text/plain; charset=${charset}\r\n`);
    const outcome = await read(`${field}--q--\r\n`).then(
      ({ fields }) => fields,
      (error: unknown) => (error as { code: string }).code,
    );
    expect([[["purpose", "assistants"]], "invalid_multipart"]).toContainEqual(outcome);
  });

  test("with a large file under another name is refused by that name, and nothing fails beside", async () => {
    const failures: unknown[] = [];
    const note = (error: unknown) => failures.push(error);
    process.on("uncaughtException", note);
    await expect(read(`${file("z".repeat(900_000), "other")}--q--\r\n`, 1e6)).rejects.toMatchObject({
      code: "unknown_parameter",
      param: "other",
    });
    await new Promise((resolve) => setImmediate(resolve));
    process.off("uncaughtException", note);
    expect(failures).toEqual([]);
  });

  test.each<[string, string]>([
    ["what stands before the first part", ""],
    ["parts that belong to no form", "--q\r\ncontent-type: text/plain\r\n\r\n"],
    ["what stands after the last part", "--q--\r\n"],
  ])("without a length counts %s", async (_, start) => {
    let sent = 0;
    let isCancelled = false;
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new TextEncoder().encode(start || "preamble")),
      pull(controller) {
        sent += 65_536;
        controller.enqueue(new Uint8Array(65_536).fill(0x61));
      },
      cancel: () => void (isCancelled = true),
    });
    await expect(read(body)).rejects.toMatchObject({ code: "payload_too_large" });
    expect(isCancelled).toBe(true);
    expect(sent).toBeLessThan(4 * 1024 * 1024);
  });
});

describe("a form with several files", () => {
  async function several(body: string, most = 3) {
    const got: [name: string, text: string][] = [];
    const request = new Request("http://localhost/", { method: "POST", headers: { "content-type": TYPE }, body });
    const form = await readMultipart(request, {
      fileField: "file",
      limit: formLimit(1_000_000),
      several: { most, begin: async (name) => void got.push([name, ""]) },
      sink: async (chunk) => {
        // The disk takes its time: the next file waits for this one.
        await new Promise((resolve) => setTimeout(resolve, 1));
        (got.at(-1) as [string, string])[1] += new TextDecoder().decode(chunk);
      },
    });
    return { got, form };
  }
  const named = (name: string, content: string) => part(`name="file"; filename="${name}"`, content);

  test("gives one after the other, empty ones too", async () => {
    const large = "z".repeat(200_000);
    const body = [named("a/b.txt", large), named("empty", ""), part('name="id"', "x"), named("c", "last")].join("");
    const { got, form } = await several(`${body}--q--\r\n`);
    expect(got).toEqual([
      ["a/b.txt", large],
      ["empty", ""],
      ["c", "last"],
    ]);
    expect(form.fields).toEqual([["id", "x"]]);
  });

  test("has a bound, and one broken off in the middle fails once", async () => {
    const failures: unknown[] = [];
    const note = (error: unknown) => failures.push(error);
    process.on("uncaughtException", note);
    const many = Array.from({ length: 4 }, (_, i) => named(`f${i}`, "x".repeat(50_000))).join("");
    await expect(several(`${many}--q--\r\n`)).rejects.toMatchObject({ code: "invalid_multipart" });
    await expect(several(many.slice(0, 120_000))).rejects.toMatchObject({ code: "invalid_multipart" });
    await new Promise((resolve) => setImmediate(resolve));
    process.off("uncaughtException", note);
    expect(failures).toEqual([]);
  });
});
