import { writeFileSync } from "node:fs";
import { expect, test } from "bun:test";
import { tempDir } from "../../test/helpers/temp-dir.ts";
import { createClient } from "./client.ts";
import { uploadFile } from "./upload.ts";

/** Uploads `text` to a server that has read it all when it calls `answer`. */
async function upload(text: string, answer: (form: FormData, interrupt: () => void) => Promise<Response>) {
  using dir = tempDir();
  writeFileSync(dir.join("file"), text);
  const stop = new AbortController();
  const interrupt = () => stop.abort(new Error("interrupted"));
  await using server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    fetch: async (request) => await answer((await request.formData()) as FormData, interrupt),
  });
  const client = createClient({ url: server.url.origin, key: "k" });
  const sent: number[] = [];
  const options = {
    path: dir.join("file"),
    filename: 'a "b".md',
    onSent: (bytes: number) => void sent.push(bytes),
    answerMs: 20,
  };
  try {
    return { uploaded: await uploadFile(client, options, stop.signal), sent };
  } finally {
    await server.stop(true);
  }
}

test("a file goes out as a form does, and tells how far it is", async () => {
  const text = "Tides. ".repeat(100_000);
  let received: unknown[] = [];
  const { uploaded, sent } = await upload(text, async (form) => {
    const file = form.get("file") as File;
    received = [form.get("purpose"), file.name.replaceAll("%22", '"'), (await file.text()) === text];
    return Response.json({ id: "file-1" });
  });
  expect(received).toEqual(["assistants", 'a "b".md', true]);
  expect(uploaded).toEqual({ id: "file-1", sha256: new Bun.CryptoHasher("sha256").update(text).digest("hex") });
  expect(sent.at(-1)).toBe(text.length);
  expect(sent.toSorted((a, b) => a - b)).toEqual(sent);
});

test("interrupted when the server has the whole file, its answer is waited for", async () => {
  const { uploaded } = await upload("Tides.", (_form, interrupt) => {
    interrupt();
    return Promise.resolve(Response.json({ id: "file-2" }));
  });
  expect(uploaded.id).toBe("file-2");
});

test("but not for ever", async () => {
  const hanging = upload("Tides.", (_form, interrupt) => {
    interrupt();
    return new Promise<Response>(() => {});
  });
  const failure = await hanging.catch((error: unknown) => error);
  expect(failure).toMatchObject({ message: "interrupted" });
});
