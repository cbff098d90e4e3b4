import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { storeApp, KEYS } from "../../app/testing/store-app.ts";
import type { StoreApp } from "../../app/testing/store-app.ts";
import { insertStore, insertStoreFile } from "../../storage/testing/rows.ts";

/** What an upload left behind on disk: nothing in tmp, and these blobs. */
function onDisk(f: StoreApp): { tmp: string[]; blobs: string[] } {
  return { tmp: readdirSync(join(f.dataDir, "tmp")), blobs: f.blobs.list() };
}

function form(parts: [name: string, value: string | File][]): FormData {
  const data = new FormData();
  for (const [name, value] of parts) data.append(name, value);
  return data;
}

const NOTE = new File(["hello"], "note.txt", { type: "text/plain" });

async function upload(f: StoreApp, text = "hello", name = "note.txt", purpose = "assistants") {
  const answer = await f.call(
    "POST",
    "/v1/files",
    form([
      ["file", new File([text], name, { type: "text/plain" })],
      ["purpose", purpose],
    ]),
  );
  expect(answer.status).toBe(200);
  return answer.json as { id: string };
}

describe("POST /v1/files", () => {
  test("answers with the whole file object and keeps the bytes", async () => {
    await using f = await storeApp();
    const { json } = await f.call(
      "POST",
      "/v1/files",
      form([
        ["purpose", "user_data"],
        ["file", NOTE],
      ]),
    );
    expect(json).toEqual({
      id: expect.stringMatching(/^file-\w{24}$/),
      object: "file",
      bytes: 5,
      created_at: 1_800_000_000,
      expires_at: null,
      filename: "note.txt",
      purpose: "user_data",
      status: "processed",
      status_details: null,
    });
    expect(await f.storage.files.get("ten_a", json.id)).toMatchObject({
      sha256: createHash("sha256").update("hello").digest("hex"),
      mime: "text/plain",
    });
    expect(onDisk(f)).toEqual({ tmp: [], blobs: [json.id] });
  });

  test("takes the parts in any order, with an expiry in brackets", async () => {
    await using f = await storeApp();
    const data = form([
      ["file", NOTE],
      ["expires_after[seconds]", "7200"],
      ["purpose", "assistants"],
      ["expires_after[anchor]", "created_at"],
    ]);
    expect((await f.call("POST", "/v1/files", data)).json.expires_at).toBe(1_800_007_200);
  });

  test("lets batch files expire after 30 days by default", async () => {
    await using f = await storeApp();
    expect(
      (
        await f.call(
          "POST",
          "/v1/files",
          form([
            ["file", NOTE],
            ["purpose", "batch"],
          ]),
        )
      ).json.expires_at,
    ).toBe(1_800_000_000 + 30 * 86_400);
  });

  test("has no nulls in openai-strict", async () => {
    await using f = await storeApp();
    const { json } = await f.call(
      "POST",
      "/v1/files?dialect=openai-strict",
      form([
        ["file", NOTE],
        ["purpose", "assistants"],
      ]),
    );
    expect(Object.keys(json).toSorted()).toEqual([
      "bytes",
      "created_at",
      "filename",
      "id",
      "object",
      "purpose",
      "status",
    ]);
  });

  test("accepts an empty file", async () => {
    await using f = await storeApp();
    expect(
      (
        await f.call(
          "POST",
          "/v1/files",
          form([
            ["file", new File([], "empty.txt")],
            ["purpose", "assistants"],
          ]),
        )
      ).json.bytes,
    ).toBe(0);
  });

  test("accepts a file of exactly the largest size, not one byte more", async () => {
    await using f = await storeApp({ maxFileBytes: 100_000 });
    const of = (bytes: number) =>
      f.call(
        "POST",
        "/v1/files",
        form([
          ["file", new File([new Uint8Array(bytes)], "x.bin")],
          ["purpose", "assistants"],
        ]),
      );
    expect((await of(100_000)).json.bytes).toBe(100_000);
    const answer = await of(100_001);
    expect([answer.status, answer.json.error.code, answer.json.error.param]).toEqual([
      413,
      "payload_too_large",
      "file",
    ]);
    expect(onDisk(f).blobs).toHaveLength(1);
  });

  test("refuses by the announced length, without reading", async () => {
    await using f = await storeApp({ maxFileBytes: 1000 });
    const headers = { "content-type": "multipart/form-data; boundary=b", "content-length": "9000000000" };
    const body = new ReadableStream({ pull: () => Promise.reject(new Error("was read")) });
    expect((await f.call("POST", "/v1/files", body, headers)).status).toBe(413);
  });

  const lines = (...text: string[]) => `${text.join("\r\n")}\r\n`;
  const head = (name: string, rest = "") => `Content-Disposition: form-data; name="${name}"${rest}`;
  const purpose = lines("--b", head("purpose"), "", "assistants");
  const file = (name: string) =>
    lines("--b", head("file", `; filename="${name}"`), "Content-Type: application/octet-stream", "", "hello");
  const raw = (f: StoreApp, body: string | Uint8Array | ReadableStream, type = "multipart/form-data; boundary=b") =>
    f.call("POST", "/v1/files", body as Bun.BodyInit, { "content-type": type });

  test("streams a body of unknown length in small pieces", async () => {
    await using f = await storeApp();
    const bytes = new TextEncoder().encode(`${file("a.md")}${purpose}--b--\r\n`);
    let at = 0;
    const body = new ReadableStream({
      pull(controller) {
        if (at >= bytes.length) controller.close();
        else controller.enqueue(bytes.slice(at, (at += 7)));
      },
    });
    expect((await raw(f, body)).json).toMatchObject({ bytes: 5, filename: "a.md" });
  });

  test.each([
    ["../../etc/passwd", "passwd"],
    ["home/anna/docs/refunds.md", "refunds.md"],
    ["..\\\\..\\\\x.txt", "x.txt"],
    ["C:\\Users\\anna\\x.txt", "x.txt"],
    ["=?UTF-8?B?UHLDvGZ1bmcucGRm?=", "Prüfung.pdf"],
    ["Pru\u0308fung.pdf", "Prüfung.pdf"],
    ["日本語.pdf", "日本語.pdf"],
    [`${"n".repeat(5000)}.txt`, `${"n".repeat(508)}.txt`],
  ])("keeps %s as display text", async (sent, shown) => {
    await using f = await storeApp();
    const { json } = await raw(f, `${file(sent)}${purpose}--b--\r\n`);
    expect(json.filename).toBe(shown);
    expect(onDisk(f)).toEqual({ tmp: [], blobs: [json.id] });
  });

  test.each([
    ["UTF-8''Pr%C3%BCfung.pdf", "Prüfung.pdf"],
    ["utf-8'de'home%2Fanna%2Frefunds.md", "refunds.md"],
    ["ISO-8859-1''Pr%FCfung.pdf", "Prüfung.pdf"],
  ])("reads a name that is coded as %s, before the plain one", async (coded, shown) => {
    await using f = await storeApp();
    const disposition = `${head("file", '; filename="plain.pdf"')}; filename*=${coded}`;
    const body = lines("--b", disposition, "Content-Type: application/octet-stream", "", "hello");
    expect((await raw(f, `${body}${purpose}--b--\r\n`)).json.filename).toBe(shown);
  });

  test("keeps folders in dialects that are not OpenAI's", async () => {
    await using f = await storeApp();
    const nameIn = async (dialect: string) => {
      const headers = { "content-type": "multipart/form-data; boundary=b", "x-vector-dialect": dialect };
      return (await f.call("POST", "/v1/files", `${file("docs/guide.md")}${purpose}--b--\r\n`, headers)).json.filename;
    };
    for (const dialect of ["openai", "openai-strict", "legacy"]) expect(await nameIn(dialect)).toBe("guide.md");
    for (const dialect of ["fightclub", "ragwalla", "aqueduct"]) expect(await nameIn(dialect)).toBe("docs/guide.md");
  });

  test("a compressed form is decoded, and stays within the largest file", async () => {
    await using f = await storeApp({ maxFileBytes: 1000 });
    const headers = { "content-type": "multipart/form-data; boundary=b", "content-encoding": "gzip" };
    const sent = (text: string) => f.call("POST", "/v1/files", Bun.gzipSync(text), headers);
    expect((await sent(`${file("a.md")}${purpose}--b--\r\n`)).json).toMatchObject({ bytes: 5, filename: "a.md" });
    const bomb = `${purpose}${lines("--b", head("file", '; filename="a.md"'), "", "x".repeat(5_000_000))}--b--\r\n`;
    expect((await sent(bomb)).json.error.code).toBe("payload_too_large");
    const cut = Bun.gzipSync(`${file("a.md")}${purpose}--b--\r\n`).subarray(0, 50);
    expect((await f.call("POST", "/v1/files", cut, headers)).json.error.code).toBe("invalid_encoding");
    expect(onDisk(f).tmp).toEqual([]);
  });

  test("a name with NUL or control characters is cleaned or refused, never kept", async () => {
    await using f = await storeApp();
    const { status, json } = await raw(f, `${file("a\u0000b\u0007.txt")}${purpose}--b--\r\n`);
    if (status === 200) expect(json.filename).toBe("ab.txt");
    else expect(json.error.code).toBe("invalid_multipart");
    expect(onDisk(f).tmp).toEqual([]);
  });

  const MALFORMED = "We could not parse the multipart body of your request:";
  test.each([
    [
      "no file",
      `${purpose}--b--\r\n`,
      undefined,
      "missing_required_parameter",
      "file",
      "Missing required parameter: 'file'.",
    ],
    [
      "no purpose",
      `${file("a.txt")}--b--\r\n`,
      undefined,
      "missing_required_parameter",
      "purpose",
      "Missing required parameter: 'purpose'.",
    ],
    [
      "a file that is text",
      `${lines("--b", head("file"), "", "hello")}${purpose}--b--\r\n`,
      undefined,
      "invalid_type",
      "file",
      "Invalid type for 'file': expected a file, but got a string instead.",
    ],
    [
      "an unknown purpose",
      `${file("a.txt")}${lines("--b", head("purpose"), "", "fun")}--b--\r\n`,
      undefined,
      "invalid_value",
      "purpose",
      "Invalid value: 'fun'. Supported values are: 'assistants', 'batch', 'fine-tune', 'vision', 'user_data', and 'evals'.",
    ],
    [
      "an unknown field",
      `${file("a.txt")}${purpose}${lines("--b", head("porpoise"), "", "x")}--b--\r\n`,
      undefined,
      "unknown_parameter",
      "porpoise",
      "Unknown parameter: 'porpoise'.",
    ],
    [
      "an unknown file part",
      `${lines("--b", head("document", '; filename="a.txt"'), "", "x")}${purpose}--b--\r\n`,
      undefined,
      "unknown_parameter",
      "document",
      "Unknown parameter: 'document'.",
    ],
    [
      "an expiry below an hour",
      `${file("a.txt")}${purpose}${lines("--b", head("expires_after[anchor]"), "", "created_at", "--b", head("expires_after[seconds]"), "", "60")}--b--\r\n`,
      undefined,
      "integer_below_min_value",
      "expires_after.seconds",
      "Invalid 'expires_after.seconds': integer below minimum value. Expected a value >= 3600, but got 60 instead.",
    ],
    [
      "a body cut short in the file",
      lines("--b", head("file", '; filename="a.txt"'), "", "hel").slice(0, -2),
      undefined,
      "invalid_multipart",
      null,
      `${MALFORMED} it is cut short or malformed.`,
    ],
    [
      "a body cut short between parts",
      `${file("a.txt")}${purpose}`,
      undefined,
      "invalid_multipart",
      null,
      `${MALFORMED} it is cut short or malformed.`,
    ],
    [
      "no multipart at all",
      "garbage",
      undefined,
      "invalid_multipart",
      null,
      `${MALFORMED} it is cut short or malformed.`,
    ],
    ["no boundary", "x", "multipart/form-data", "invalid_multipart", null, `${MALFORMED} its boundary is missing.`],
    [
      "JSON",
      "{}",
      "application/json",
      "invalid_multipart",
      null,
      `${MALFORMED} the content type must be multipart/form-data.`,
    ],
    [
      "two files",
      `${file("a.txt")}${file("b.txt")}${purpose}--b--\r\n`,
      undefined,
      "invalid_multipart",
      null,
      `${MALFORMED} it has more than one file.`,
    ],
    [
      "thousands of fields",
      `${file("a.txt")}${lines("--b", head("x"), "", "y").repeat(2000)}${purpose}--b--\r\n`,
      undefined,
      "invalid_multipart",
      null,
      `${MALFORMED} it has more than 50 fields.`,
    ],
  ])("refuses %s and leaves nothing behind", async (_, body, type, code, param, message) => {
    await using f = await storeApp();
    const answer = await raw(f, body, type);
    expect(answer.json).toEqual({ error: { message, type: "invalid_request_error", param, code } });
    expect(answer.status).toBe(400);
    expect(onDisk(f)).toEqual({ tmp: [], blobs: [] });
    expect((await f.storage.files.usage("ten_a")).files).toBe(0);
  });

  test("leaves nothing behind when the client goes away", async () => {
    await using f = await storeApp();
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode(file("a.txt").slice(0, -4)));
        controller.error(new Error("connection reset"));
      },
    });
    expect((await raw(f, body)).status).toBe(400);
    expect(onDisk(f)).toEqual({ tmp: [], blobs: [] });
  });
});

describe("GET /v1/files", () => {
  test("lists newest first, pages with after, and filters by purpose", async () => {
    await using f = await storeApp();
    const ids: string[] = [];
    for (const i of [0, 1, 2, 3, 4])
      ids.push((await upload(f, `${i}`, `${i}.txt`, i === 2 ? "batch" : "assistants")).id);
    const newest = ids.toReversed();
    const all = (await f.call("GET", "/v1/files")).json;
    expect([
      all.object,
      all.data.map((file: { id: string }) => file.id),
      all.first_id,
      all.last_id,
      all.has_more,
    ]).toEqual(["list", newest, newest[0], newest[4], false]);
    const page = (await f.call("GET", `/v1/files?limit=2&after=${newest[0]}`)).json;
    expect([page.first_id, page.last_id, page.has_more]).toEqual([newest[1], newest[2], true]);
    expect((await f.call("GET", "/v1/files?order=asc&limit=1")).json.first_id).toBe(ids[0]);
    expect((await f.call("GET", "/v1/files?purpose=batch")).json.data).toHaveLength(1);
  });

  test("an empty list has null ids, empty ones in openai-strict", async () => {
    await using f = await storeApp();
    expect((await f.call("GET", "/v1/files")).json).toEqual({
      object: "list",
      data: [],
      first_id: null,
      last_id: null,
      has_more: false,
    });
    expect((await f.call("GET", "/v1/files?dialect=openai-strict")).json).toMatchObject({ first_id: "", last_id: "" });
  });

  test("goes on after a cursor whose file was deleted meanwhile", async () => {
    await using f = await storeApp();
    for (const i of [0, 1, 2, 3]) await upload(f, `${i}`);
    const first = (await f.call("GET", "/v1/files?limit=2")).json;
    await f.call("DELETE", `/v1/files/${first.last_id}`);
    expect((await f.call("GET", `/v1/files?limit=2&after=${first.last_id}`)).json.data).toHaveLength(2);
  });

  test.each([
    [
      "limit=0",
      "integer_below_min_value",
      "Invalid 'limit': integer below minimum value. Expected a value >= 1, but got 0 instead.",
    ],
    [
      "limit=10001",
      "integer_above_max_value",
      "Invalid 'limit': integer above maximum value. Expected a value <= 10000, but got 10001 instead.",
    ],
    ["after=file-nope", "invalid_value", "Invalid 'after': no file found with id 'file-nope'."],
    ["order=random", "invalid_value", "Invalid value: 'random'. Supported values are: 'asc' and 'desc'."],
  ])("?%s is %s", async (query, code, message) => {
    await using f = await storeApp();
    const { status, json } = await f.call("GET", `/v1/files?${query}`);
    expect([status, json.error.code, json.error.message]).toEqual([400, code, message]);
  });
});

describe("one file", () => {
  test("is unknown in the words that clients match", async () => {
    await using f = await storeApp();
    for (const method of ["GET", "DELETE"]) {
      const answer = await f.call(method, "/v1/files/file-abc");
      expect(answer.json).toEqual({
        error: {
          message: "No such File object: file-abc",
          type: "invalid_request_error",
          param: "id",
          code: "file_not_found",
        },
      });
      expect(answer.status).toBe(404);
    }
    const content = await f.call("GET", "/v1/files/file-abc/content");
    expect([content.status, content.json.error.message, content.json.error.param]).toEqual([404, "Not found", null]);
  });

  test("of another tenant is as unknown as none", async () => {
    await using f = await storeApp();
    const { id } = await upload(f);
    const other = { authorization: `Bearer ${KEYS.other}` };
    for (const [method, path] of [
      ["GET", ""],
      ["DELETE", ""],
      ["GET", "/content"],
    ] as const) {
      const answer = await f.call(method, `/v1/files/${id}${path}`, null, other);
      const unknown = await f.call(method, `/v1/files/file-${"x".repeat(24)}${path}`, null, other);
      expect(answer.status).toBe(404);
      expect(JSON.stringify(answer.json).replaceAll(id, "ID")).toBe(
        JSON.stringify(unknown.json).replaceAll(`file-${"x".repeat(24)}`, "ID"),
      );
    }
    expect((await f.call("GET", "/v1/files", null, other)).json.data).toEqual([]);
    expect((await f.call("GET", `/v1/files?after=${id}`, null, other)).status).toBe(400);
  });

  test("is gone once its time has come", async () => {
    await using f = await storeApp();
    const data = form([
      ["file", NOTE],
      ["purpose", "assistants"],
      ["expires_after[anchor]", "created_at"],
      ["expires_after[seconds]", "3600"],
    ]);
    const { id } = (await f.call("POST", "/v1/files", data)).json;
    f.clock.seconds += 3599;
    expect((await f.call("GET", `/v1/files/${id}`)).status).toBe(200);
    f.clock.seconds += 1;
    expect((await f.call("GET", `/v1/files/${id}`)).status).toBe(404);
    expect((await f.call("GET", `/v1/files/${id}/content`)).status).toBe(404);
    expect((await f.call("GET", "/v1/files")).json.data).toEqual([]);
  });

  test("is deleted with its bytes and its places in stores", async () => {
    await using f = await storeApp();
    const { id } = await upload(f);
    await insertStore(f.storage, { id: "vs_1", tenantId: "ten_a" });
    await insertStoreFile(f.storage, {
      tenantId: "ten_a",
      storeId: "vs_1",
      fileId: id,
      filename: "note.txt",
      fileBytes: 5,
    });
    const told = f.changes.wait("vs_1", new AbortController().signal, 60_000);
    expect((await f.call("DELETE", `/v1/files/${id}`)).json).toEqual({ id, object: "file", deleted: true });
    await told;
    expect(await f.storage.storeFiles.ofFile("ten_a", id)).toEqual([]);
    expect(await f.storage.jobs.depth()).toEqual([{ kind: "purge_file", waiting: 1, running: 0 }]);
    expect(onDisk(f)).toEqual({ tmp: [], blobs: [] });
    expect((await f.call("GET", `/v1/files/${id}`)).status).toBe(404);
  });
});

describe("GET /v1/files/{id}/content", () => {
  test("gives the bytes back as a download that no browser runs", async () => {
    await using f = await storeApp();
    const { id } = await upload(f, "<script>alert(1)</script>", "docs/é.html");
    const { json, headers } = await f.call("GET", `/v1/files/${id}/content`, null, { accept: "application/binary" });
    expect(json).toBe("<script>alert(1)</script>");
    expect(headers.get("content-type")).toBe("text/plain");
    expect(headers.get("content-disposition")).toBe(`attachment; filename="_.html"; filename*=UTF-8''%C3%A9.html`);
    expect(headers.get("x-content-type-options")).toBe("nosniff");
    expect(headers.get("content-security-policy")).toBe("default-src 'none'; sandbox");
  });

  test.each([
    ["bytes=0-4", 206, "01234", "bytes 0-4/10"],
    ["bytes=7-", 206, "789", "bytes 7-9/10"],
    ["bytes=-3", 206, "789", "bytes 7-9/10"],
    ["bytes=5-500", 206, "56789", "bytes 5-9/10"],
    ["bytes=10-", 416, "", "bytes */10"],
    ["bytes=0-1,4-5", 200, "0123456789", null],
    ["bytes=5-2", 200, "0123456789", null],
    ["lines=1-2", 200, "0123456789", null],
  ])("Range: %s is %d", async (range, status, text, contentRange) => {
    await using f = await storeApp();
    const { id } = await upload(f, "0123456789");
    const answer = await f.call("GET", `/v1/files/${id}/content`, null, { range });
    expect([answer.status, answer.json, answer.headers.get("content-range")]).toEqual([status, text, contentRange]);
  });

  test("bytes that are not there are 404, not an empty download", async () => {
    await using f = await storeApp();
    const { id } = await upload(f);
    await f.blobs.remove(id);
    const answer = await f.call("GET", `/v1/files/${id}/content`);
    expect([answer.status, answer.json.error.message, answer.json.error.code]).toEqual([
      404,
      "Not found",
      "file_content_not_found",
    ]);
  });
});
