/** Bodies while they are written: their room, and what becomes of them when their tenant or key ends meanwhile. */
import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { KEYS, storeApp } from "../../app/testing/store-app.ts";
import type { Answer, StoreApp } from "../../app/testing/store-app.ts";

const ADMIN = { authorization: `Bearer ${KEYS.admin}` };
const OTHER = { authorization: `Bearer ${KEYS.other}` };
const KB = 1024;
const MB = 1024 * KB;

/** A form whose file comes piece by piece, as the test gives them. */
function heldForm(field: string, filename: string) {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const writer = writable.getWriter();
  const encode = (text: string) => new TextEncoder().encode(text);
  const purpose = field === "file" ? '--b\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nassistants\r\n' : "";
  const head = `${purpose}--b\r\ncontent-disposition: form-data; name="${field}"; filename="${filename}"\r\n\r\n`;
  // What is not read any more is nobody's failure.
  const write = (bytes: Uint8Array) => writer.write(bytes).catch(() => {});
  void write(encode(head));
  return {
    body: readable,
    give: (bytes: number) => write(new Uint8Array(bytes).fill(120)),
    end: async () => {
      await write(encode("\r\n--b--\r\n"));
      await writer.close().catch(() => {});
    },
  };
}

function begun(f: StoreApp, path: string, key: Record<string, string>, field = "file") {
  const form = heldForm(field, "late.txt");
  const answer = f.call("POST", path, form.body, { ...key, "content-type": "multipart/form-data; boundary=b" });
  return { ...form, answer };
}

const onDisk = (f: StoreApp) => [...f.blobs.list(), ...readdirSync(join(f.dataDir, "tmp"))];
const codeOf = ({ status, json }: Answer) => [status, json.error?.code];

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 5));
}
const bytesInTmp = (f: StoreApp) =>
  readdirSync(join(f.dataDir, "tmp")).reduce((sum, name) => sum + Bun.file(join(f.dataDir, "tmp", name)).size, 0);

async function rowsOf(f: StoreApp, tenantId: string): Promise<Record<string, number>> {
  const tables = ["file", "upload", "upload_part", "vector_store", "store_file", "usage"];
  return Object.fromEntries(
    tables.map((name) => [
      name,
      f.db.raw.query<{ n: number }, [string]>(`SELECT count(*) AS n FROM ${name} WHERE tenant_id = ?1`).get(tenantId)
        ?.n ?? 0,
    ]),
  );
}
const NO_ROWS = { file: 0, upload: 0, upload_part: 0, vector_store: 0, store_file: 0, usage: 0 };

describe("a tenant that is deleted while it uploads", () => {
  test("a file: the upload is ended, and nothing of it stays", async () => {
    await using f = await storeApp();
    const upload = begun(f, "/v1/files", OTHER);
    await upload.give(100);
    await until(() => bytesInTmp(f) === 100);
    // The body is held: nothing comes any more, and the deletion does not wait for it.
    expect((await f.call("DELETE", "/v1/admin/tenants/ten_b", undefined, ADMIN)).status).toBe(200);
    expect(codeOf(await upload.answer)).toEqual([401, "invalid_api_key"]);
    expect([await rowsOf(f, "ten_b"), onDisk(f)]).toEqual([NO_ROWS, []]);
    await upload.end();
  });

  test("a part: the parts that are there are deleted, each with its proof", async () => {
    await using f = await storeApp();
    const about = { filename: "a.txt", purpose: "assistants", bytes: 300, mime_type: "text/plain" };
    const { id } = (await f.call("POST", "/v1/uploads", about, OTHER)).json;
    const whole = begun(f, `/v1/uploads/${id}/parts`, OTHER, "data");
    await whole.give(200);
    await whole.end();
    const part = (await whole.answer).json.id as string;
    const held = begun(f, `/v1/uploads/${id}/parts`, OTHER, "data");
    await held.give(100);
    await until(() => bytesInTmp(f) === 100);
    expect((await f.call("DELETE", "/v1/admin/tenants/ten_b", undefined, ADMIN)).status).toBe(200);
    expect((await held.answer).status).toBe(401);
    expect([await rowsOf(f, "ten_b"), onDisk(f)]).toEqual([NO_ROWS, []]);
    const { data } = (await f.call("GET", "/v1/admin/deletions", undefined, ADMIN)).json;
    expect(data).toMatchObject([
      { tenant_id: "ten_b", subject: { type: "file", id: part }, removed: { files: 1, bytes: 200 } },
    ]);
    const proof = (await f.call("POST", `/v1/admin/deletions/${data[0].id}/verify`, undefined, ADMIN)).json;
    expect(proof.remaining).toMatchObject({ files: 0, bytes: 0 });
  });

  test("texts: they are not taken in, and leave no file of their own", async () => {
    await using f = await storeApp();
    const store = (await f.call("POST", "/v1/vector_stores", {}, OTHER)).json.id as string;
    let deletion: Promise<Answer> | undefined;
    f.onEmbed(async () => {
      deletion ??= f.call("DELETE", "/v1/admin/tenants/ten_b", undefined, ADMIN);
      await until(async () => (await f.storage.tenants.get("ten_b"))?.status !== "active");
    });
    const path = `/v1/vector_stores/${store}/embeddings`;
    expect((await f.call("POST", path, { content: "late words" }, OTHER)).status).toBeGreaterThan(400);
    expect((await deletion)?.status).toBe(200);
    expect(onDisk(f)).toEqual([]);
    expect((await rowsOf(f, "ten_b"))["file"]).toBe(0);
  });
});

describe("an upload is not kept when meanwhile", () => {
  const CASES: [string, (f: StoreApp) => Promise<unknown>, [number, string]][] = [
    ["its key is revoked", (f) => f.storage.tenants.removeKeys("ten_b"), [401, "invalid_api_key"]],
    [
      "its key expires",
      (f) => f.storage.tenants.updateKey("ten_b", "key_other", { expiresAt: 1 }),
      [401, "invalid_api_key"],
    ],
    [
      "its tenant is suspended",
      (f) => f.storage.tenants.update("ten_b", { status: "suspended" }),
      [402, "vector_store_suspended"],
    ],
  ];
  test.each(CASES)("%s", async (_, act, refusal) => {
    await using f = await storeApp();
    const upload = begun(f, "/v1/files", OTHER);
    await upload.give(100);
    await act(f);
    await upload.end();
    expect(codeOf(await upload.answer)).toEqual(refusal);
    expect([await rowsOf(f, "ten_b"), onDisk(f)]).toEqual([NO_ROWS, []]);
  });
});

describe("a body without a length", () => {
  const limited = async (bytes: number) => {
    const f = await storeApp({ maxFileBytes: 64 * MB });
    await f.storage.tenants.update("ten_b", { quotas: { max_bytes: bytes } });
    return f;
  };

  test("ends where it passes the quota, and nothing of it stays", async () => {
    await using f = await limited(300 * KB);
    const upload = begun(f, "/v1/files", OTHER);
    for (let i = 0; i < 5; i++) await upload.give(64 * KB);
    expect(codeOf(await upload.answer)).toEqual([403, "storage_limit_reached"]);
    expect(onDisk(f)).toEqual([]);
    await upload.end();
  });

  test("of exactly the quota is taken", async () => {
    await using f = await limited(300 * KB);
    const upload = begun(f, "/v1/files", OTHER);
    for (let i = 0; i < 3; i++) await upload.give(100 * KB);
    await upload.end();
    expect((await upload.answer).json).toMatchObject({ bytes: 300 * KB });
  });

  test("shares the quota with others under way, files and parts alike", async () => {
    await using f = await limited(MB);
    const about = { filename: "a.txt", purpose: "assistants", bytes: 4 * MB, mime_type: "text/plain" };
    const { id } = (await f.call("POST", "/v1/uploads", about, OTHER)).json;
    const uploads = [
      begun(f, "/v1/files", OTHER),
      begun(f, "/v1/files", OTHER),
      begun(f, `/v1/uploads/${id}/parts`, OTHER, "data"),
    ];
    for (const upload of uploads) void upload.give(500 * KB).then(() => upload.end());
    const answers = (await Promise.all(uploads.map(({ answer }) => answer))).map(({ status }) => status);
    expect(answers.toSorted((a, b) => a - b)).toEqual([200, 200, 403]);
    expect(readdirSync(join(f.dataDir, "tmp"))).toEqual([]);
  });

  test("leaves room for small ones of the same tenant while it is small itself", async () => {
    await using f = await limited(10 * MB);
    const slow = Array.from({ length: 4 }, () => begun(f, "/v1/files", OTHER));
    for (const one of slow) await one.give(MB);
    await until(() => bytesInTmp(f) === 4 * MB);
    const small = begun(f, "/v1/files", OTHER);
    await small.give(100 * KB);
    await small.end();
    expect((await small.answer).status).toBe(200);
    for (const one of slow) await one.end();
    for (const one of slow) expect((await one.answer).status).toBe(200);
  });

  test("is not begun where the disk is nearly full", async () => {
    await using f = await storeApp({ maxFileBytes: 64 * MB, minFreeMb: 1024 * 1024 * 1024 });
    const upload = begun(f, "/v1/files", OTHER);
    void upload.give(KB);
    expect(codeOf(await upload.answer)).toEqual([507, "insufficient_storage"]);
    expect(onDisk(f)).toEqual([]);
  });
});

describe("texts put in with their vectors", () => {
  test("count for the tenant until their file leaves the store", async () => {
    await using f = await storeApp();
    const store = (await f.call("POST", "/v1/vector_stores", {}, OTHER)).json.id as string;
    const usage = async () => (await f.storage.files.usage("ten_b")).bytes;
    const path = `/v1/vector_stores/${store}/embeddings`;
    await f.call("POST", path, { content: "größe" }, OTHER);
    await f.call("POST", `${path}/batch`, { embeddings: [{ content: "four" }, { content: "five" }] }, OTHER);
    expect(await usage()).toBe(7 + 8);
    const { data } = (await f.call("GET", "/v1/files", undefined, OTHER)).json;
    expect(data).toMatchObject([{ filename: "inline", bytes: 15 }]);
    await f.call("DELETE", `/v1/vector_stores/${store}/files/${data[0].id}`, undefined, OTHER);
    expect(await usage()).toBe(0);
    await f.call("POST", path, { content: "again" }, OTHER);
    expect(await usage()).toBe(5);
    await f.call("DELETE", `/v1/files/${data[0].id}`, undefined, OTHER);
    expect(await rowsOf(f, "ten_b")).toMatchObject({ file: 0, usage: 0 });
  });

  test("are refused beyond the quota, all or none", async () => {
    await using f = await storeApp();
    await f.storage.tenants.update("ten_b", { quotas: { max_bytes: 10 } });
    const store = (await f.call("POST", "/v1/vector_stores", {}, OTHER)).json.id as string;
    const embeddings = [{ content: "123456" }, { content: "12345" }];
    const path = `/v1/vector_stores/${store}/embeddings/batch`;
    expect(codeOf(await f.call("POST", path, { embeddings }, OTHER))).toEqual([403, "storage_limit_reached"]);
    expect(f.embedded).toEqual([]);
    expect((await f.call("POST", path, { embeddings: embeddings.slice(0, 1) }, OTHER)).status).toBe(200);
    expect(codeOf(await f.call("POST", path, { embeddings: embeddings.slice(1) }, OTHER))[0]).toBe(403);
  });
});
