import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { storeApp, KEYS } from "../../app/testing/store-app.ts";
import type { StoreApp } from "../../app/testing/store-app.ts";

const TEXT = "first second third";
const md5 = (text: string) => createHash("md5").update(text).digest("hex");

async function begin(f: StoreApp, more: object = {}) {
  const body = { filename: "all.txt", purpose: "user_data", bytes: TEXT.length, mime_type: "text/plain", ...more };
  const answer = await f.call("POST", "/v1/uploads", body);
  expect(answer.status).toBe(200);
  return answer.json as { id: string; expires_at: number };
}

async function add(f: StoreApp, uploadId: string, text: string) {
  const data = new FormData();
  data.append("data", new File([text], "blob"));
  return await f.call("POST", `/v1/uploads/${uploadId}/parts`, data);
}

const complete = (f: StoreApp, id: string, body: object) => f.call("POST", `/v1/uploads/${id}/complete`, body);

describe("an upload in parts", () => {
  test("makes one file of parts that came in parallel and out of order", async () => {
    await using f = await storeApp();
    const upload = await begin(f);
    expect(upload).toEqual({
      id: expect.stringMatching(/^upload_\w{24}$/),
      object: "upload",
      bytes: TEXT.length,
      created_at: 1_800_000_000,
      filename: "all.txt",
      purpose: "user_data",
      status: "pending",
      expires_at: 1_800_003_600,
      file: null,
    } as never);
    const [third, first, second] = await Promise.all([
      add(f, upload.id, "third"),
      add(f, upload.id, "first "),
      add(f, upload.id, "second "),
    ]);
    expect(first?.json).toEqual({
      id: expect.stringMatching(/^part_\w{24}$/),
      object: "upload.part",
      created_at: 1_800_000_000,
      upload_id: upload.id,
    });
    const { json } = await complete(f, upload.id, {
      part_ids: [first?.json.id, second?.json.id, third?.json.id],
      md5: md5(TEXT).toUpperCase(),
    });
    expect(json).toMatchObject({
      status: "completed",
      file: { object: "file", bytes: TEXT.length, filename: "all.txt", purpose: "user_data", status: "processed" },
    });
    expect((await f.call("GET", `/v1/files/${json.file.id}/content`)).json).toBe(TEXT);
    expect(f.blobs.list()).toEqual([json.file.id]);
    expect(readdirSync(join(f.dataDir, "tmp"))).toEqual([]);
  });

  test("hands its expiry policy to the file", async () => {
    await using f = await storeApp();
    const upload = await begin(f, { expires_after: { anchor: "created_at", seconds: 3600 } });
    const part = await add(f, upload.id, TEXT);
    expect((await complete(f, upload.id, { part_ids: [part.json.id] })).json.file.expires_at).toBe(1_800_003_600);
  });

  test("stays pending after a completion that does not fit, and can be completed then", async () => {
    await using f = await storeApp();
    const upload = await begin(f);
    const part = (await add(f, upload.id, TEXT)).json.id as string;
    const stray = (await add(f, upload.id, "x")).json.id as string;
    const refusals: [object, string, string][] = [
      [
        { part_ids: [] },
        "part_ids",
        `The parts have 0 bytes in all, but the upload was announced with ${TEXT.length} bytes.`,
      ],
      [
        { part_ids: [part, stray] },
        "part_ids",
        `The parts have ${TEXT.length + 1} bytes in all, but the upload was announced with ${TEXT.length} bytes.`,
      ],
      [{ part_ids: [part, part] }, "part_ids[1]", `Invalid 'part_ids[1]': '${part}' is listed twice.`],
      [{ part_ids: ["part_nope"] }, "part_ids[0]", "Invalid 'part_ids[0]': 'part_nope' is no part of this upload."],
      [{ part_ids: [part], md5: md5("other") }, "md5", "The MD5 of the uploaded bytes differs from the one given."],
    ];
    for (const [body, param, message] of refusals) {
      const answer = await complete(f, upload.id, body);
      expect(answer.json.error).toEqual({ message, type: "invalid_request_error", param, code: "invalid_value" });
      expect((await f.storage.files.usage("ten_a")).files).toBe(0);
    }
    expect((await complete(f, upload.id, { part_ids: [part] })).json.status).toBe("completed");
    expect(f.blobs.list()).toHaveLength(1);
  });

  test("is cancelled without a body, with its parts, once", async () => {
    await using f = await storeApp();
    const upload = await begin(f);
    const part = (await add(f, upload.id, TEXT)).json.id;
    const cancelled = await f.call("POST", `/v1/uploads/${upload.id}/cancel`);
    expect([cancelled.status, cancelled.json.status, cancelled.json.file]).toEqual([200, "cancelled", null]);
    expect(f.blobs.list()).toEqual([]);
    for (const answer of [
      await add(f, upload.id, "x"),
      await complete(f, upload.id, { part_ids: [part] }),
      await f.call("POST", `/v1/uploads/${upload.id}/cancel`),
    ]) {
      expect([answer.status, answer.json.error.code]).toEqual([400, "upload_not_pending"]);
      expect(answer.json.error.message).toBe(
        `Upload '${upload.id}' is cancelled; only a pending upload can be changed.`,
      );
    }
  });

  test("expires after an hour by the clock", async () => {
    await using f = await storeApp();
    const upload = await begin(f);
    f.clock.seconds += 3600;
    const answer = await add(f, upload.id, TEXT);
    expect([answer.status, answer.json.error.message]).toEqual([
      400,
      `Upload '${upload.id}' is expired; only a pending upload can be changed.`,
    ]);
  });

  test("is completed once when two ask at the same time", async () => {
    await using f = await storeApp();
    const upload = await begin(f);
    const part = (await add(f, upload.id, TEXT)).json.id;
    const answers = await Promise.all([
      complete(f, upload.id, { part_ids: [part] }),
      complete(f, upload.id, { part_ids: [part] }),
    ]);
    expect(answers.filter((answer) => answer.status === 200)).toHaveLength(1);
    expect(answers.filter((answer) => answer.status === 400)).toHaveLength(1);
    expect((await f.storage.files.usage("ten_a")).files).toBe(1);
  });

  test("is unknown to another tenant", async () => {
    await using f = await storeApp();
    const upload = await begin(f);
    const answer = await f.call("POST", `/v1/uploads/${upload.id}/cancel`, null, {
      authorization: `Bearer ${KEYS.other}`,
    });
    expect([answer.status, answer.json.error.code]).toEqual([404, "upload_not_found"]);
  });
});

describe("bad uploads", () => {
  test.each([
    [{ filename: "a", purpose: "batch", mime_type: "text/plain" }, "bytes", "missing_required_parameter"],
    [{ filename: "a", purpose: "fun", bytes: 1, mime_type: "text/plain" }, "purpose", "invalid_value"],
    [
      { filename: "a", purpose: "batch", bytes: 8 * 2 ** 30 + 1, mime_type: "text/plain" },
      "bytes",
      "integer_above_max_value",
    ],
    [{ filename: "a", purpose: "batch", bytes: "1", mime_type: "text/plain" }, "bytes", "invalid_type"],
    [{ filename: "a", purpose: "batch", bytes: 1, mime_type: "text/plain", size: 1 }, "size", "unknown_parameter"],
  ])("%j is refused at %s", async (body, param, code) => {
    await using f = await storeApp();
    const { status, json } = await f.call("POST", "/v1/uploads", body);
    expect([status, json.error.param, json.error.code]).toEqual([400, param, code]);
  });

  test("a part without data, with stray fields, or of an unknown upload", async () => {
    await using f = await storeApp();
    const upload = await begin(f);
    const empty = new FormData();
    empty.append("dta", "x");
    expect((await f.call("POST", `/v1/uploads/${upload.id}/parts`, empty)).json.error.code).toBe("unknown_parameter");
    expect(
      (
        await f.call("POST", `/v1/uploads/${upload.id}/parts`, "--b--\r\n", {
          "content-type": "multipart/form-data; boundary=b",
        })
      ).json.error.code,
    ).toBe("missing_required_parameter");
    expect((await add(f, "upload_nope", "x")).json.error).toMatchObject({
      code: "upload_not_found",
      message: "No upload found with id 'upload_nope'",
    });
    expect(f.blobs.list()).toEqual([]);
  });
});

describe("a key that is limited to some stores", () => {
  const LIMITED = "sk-test-limited-0123456789";
  const limited = { authorization: `Bearer ${LIMITED}` };
  const ABOUT = { filename: "all.txt", purpose: "user_data", bytes: 5, mime_type: "text/plain" };
  const form = () => {
    const data = new FormData();
    data.append("data", new File(["hello"], "blob"));
    return data;
  };

  test("knows of no other uploads than those that it began", async () => {
    await using f = await storeApp();
    await f.addKey(LIMITED, { id: "key_limited", storeIds: ["vs_1"] });
    const other = (await f.call("POST", "/v1/uploads", ABOUT)).json.id as string;
    const old = (await f.call("POST", "/v1/uploads", ABOUT)).json.id as string;
    f.db.raw.run("UPDATE upload SET key_id = NULL WHERE id = ?1", [old]);
    for (const id of [other, old]) {
      const unknown = await f.call("POST", `/v1/uploads/upload_nope/cancel`, undefined, limited);
      const asked = [
        await f.call("POST", `/v1/uploads/${id}/parts`, form(), limited),
        await f.call("POST", `/v1/uploads/${id}/complete`, { part_ids: ["part_x"] }, limited),
        await f.call("POST", `/v1/uploads/${id}/cancel`, undefined, limited),
      ];
      for (const { status, json } of asked)
        expect([status, JSON.stringify(json).replaceAll(id, "upload_nope")]).toEqual([
          404,
          JSON.stringify(unknown.json),
        ]);
      // For a key of all stores it is as it was.
      expect((await f.call("POST", `/v1/uploads/${id}/cancel`)).status).toBe(200);
    }
  });

  test("uses its own to the end, and so does any key of all stores", async () => {
    await using f = await storeApp();
    await f.addKey(LIMITED, { id: "key_limited", storeIds: ["vs_1"] });
    const { id } = (await f.call("POST", "/v1/uploads", ABOUT, limited)).json;
    const part = (await f.call("POST", `/v1/uploads/${id}/parts`, form(), limited)).json.id as string;
    const done = await f.call("POST", `/v1/uploads/${id}/complete`, { part_ids: [part] }, limited);
    expect(done.json.file.bytes).toBe(5);
    const second = (await f.call("POST", "/v1/uploads", ABOUT, limited)).json.id as string;
    expect((await f.call("POST", `/v1/uploads/${second}/cancel`)).status).toBe(200);
  });
});
