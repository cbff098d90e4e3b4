/** What must be refused over HTTP, and how: always OpenAI's envelope, never a stack, and the server lives on. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { deflateSync } from "node:zlib";
import { errorOf, json, newStore, refusal, settled, upload } from "../helpers/api.ts";
import type { StoreFile } from "../helpers/api.ts";
import { startServer } from "../helpers/server.ts";
import type { TestServer } from "../helpers/server.ts";

let server: TestServer;
let storeId: string;
let fileId: string;
beforeAll(async () => {
  server = await startServer({
    env: { LECTERN_MAX_UPLOAD_MB: "4", LECTERN_MAX_JSON_MB: "2", LECTERN_MAX_FILE_PARSE_SECONDS: "5" },
  });
  storeId = await newStore(server, { name: "bad input" });
  fileId = await upload(server, "good.txt", "A good file.");
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});
afterEach(async () => {
  expect((await server.fetch("/healthz")).status).toBe(200);
});

describe("who asks", () => {
  test.each([
    ["no key", ""],
    ["a wrong key", "Bearer sk-wrong"],
    ["an empty key", "Bearer "],
    ["another scheme", "Basic dGVzdDp0ZXN0"],
    ["the right key with a letter more", "Bearer test key of the administrator 0123456789x"],
  ])("%s is 401 on every address, with one body", async (_, authorization) => {
    for (const path of ["/v1/files", "/v1/vector_stores", "/v1/models", `/v1/files/${fileId}`, "/metrics"]) {
      const error = await errorOf(await fetch(server.url + path, { headers: authorization ? { authorization } : {} }));
      expect(error).toMatchObject({ status: 401, type: "invalid_request_error", code: "invalid_api_key" });
      expect(error.message).not.toContain("sk-wrong");
    }
  });

  test("what needs no key answers without one", async () => {
    for (const path of ["/healthz", "/readyz", "/docs", "/docs/json"]) {
      expect([path, (await fetch(server.url + path)).status]).toEqual([path, 200]);
    }
  });
});

describe("addresses and ids", () => {
  test.each([
    ["GET", "/v1/nothing_here?limit=0", null, null],
    ["GET", "/nothing", null, null],
    ["PUT", "/v1/files", null, null],
    ["GET", "/v1/responses", null, null],
    ["POST", "/v1/batches", null, null],
  ])("%s %s is an unknown address", async (method, path) => {
    const error = await refusal(server, method, path, method === "POST" ? {} : undefined);
    expect(error).toMatchObject({ status: 404, type: "invalid_request_error" });
    expect(error.message).toStartWith(`Invalid URL (${method} `);
  });

  test.each([
    ["GET", "/v1/files/file-unknown", "No such File object: file-unknown"],
    ["DELETE", "/v1/files/file-unknown", "No such File object: file-unknown"],
    ["GET", "/v1/files/..%2f..%2fetc%2fpasswd", "No such File object: ../../etc/passwd"],
    ["GET", "/v1/vector_stores/vs_unknown", "No vector store found with id 'vs_unknown'"],
    ["POST", "/v1/vector_stores/vs_unknown/search", "No vector store found with id 'vs_unknown'"],
    ["GET", "/v1/vector_stores/STORE/files/file-unknown", "No file found with id 'file-unknown'"],
  ])("%s %s says what was not found", async (method, path, message) => {
    const error = await refusal(
      server,
      method,
      path.replace("STORE", storeId),
      method === "POST" ? { query: "x" } : undefined,
    );
    expect(error).toMatchObject({ status: 404, message, type: "invalid_request_error" });
  });

  test("a store's id in the place of a batch's is told apart", async () => {
    const error = await refusal(server, "GET", `/v1/vector_stores/${storeId}/file_batches/${storeId}`);
    expect(error).toMatchObject({
      status: 400,
      param: "batch_id",
      code: "invalid_value",
      message: `Invalid 'batch_id': '${storeId}'. Expected an ID that begins with 'vsfb_'.`,
    });
  });

  test("a NUL, a control character and a 10,000 letter id are just unknown", async () => {
    for (const id of ["a%00b", "%1b%5b31m", "x".repeat(10_000), "%ff%fe"]) {
      const error = await refusal(server, "GET", `/v1/vector_stores/${id}`);
      expect([400, 404, 414, 431]).toContain(error.status);
    }
  });
});

describe("bodies", () => {
  const searchPath = () => `/v1/vector_stores/${storeId}/search`;
  test.each([
    ["an unknown parameter", { query: "x", filter: { a: 1 } }, "unknown_parameter", "filter"],
    ["a missing parameter", {}, "missing_required_parameter", "query"],
    ["a number as text", { query: "x", max_num_results: "5" }, "invalid_type", "max_num_results"],
    ["too many results", { query: "x", max_num_results: 51 }, "integer_above_max_value", "max_num_results"],
    ["no results", { query: "x", max_num_results: 0 }, "integer_below_min_value", "max_num_results"],
    ["an object as query", { query: { a: 1 } }, "invalid_type", "query"],
    [
      "an unknown ranker",
      { query: "x", ranking_options: { ranker: "best" } },
      "invalid_value",
      "ranking_options.ranker",
    ],
  ])("%s in a search", async (_, body, code, param) => {
    expect(await refusal(server, "POST", searchPath(), body)).toMatchObject({
      status: 400,
      type: "invalid_request_error",
      code,
      param,
    });
  });

  test("an unknown parameter is named anywhere", async () => {
    const cases: [string, object][] = [
      ["/v1/vector_stores", { nme: "x" }],
      [`/v1/vector_stores/${storeId}`, { nme: "x" }],
      [`/v1/vector_stores/${storeId}/files`, { file_id: fileId, attribute: {} }],
      [`/v1/vector_stores/${storeId}/file_batches`, { file_ids: [fileId], x: 1 }],
      ["/v1/embeddings", { input: "x", model: "lectern-embed-en", dims: 3 }],
      ["/v1/uploads", { filename: "a", purpose: "assistants", bytes: 1, mime_type: "text/plain", x: 1 }],
    ];
    for (const [path, body] of cases) {
      const error = await refusal(server, "POST", path, body);
      const unknown = Object.keys(body).at(-1) ?? "";
      const named = "nme" in body ? "nme" : "attribute" in body ? "attribute" : "dims" in body ? "dims" : unknown;
      expect([path, error.status, error.code, error.param]).toEqual([path, 400, "unknown_parameter", named]);
      expect(error.message).toContain(`'${named}'`);
    }
  });

  test.each([
    ["not JSON", "{"],
    ["nothing", ""],
    ["a bare word", "hello"],
    ["a list", "[]"],
    ["a number", "1"],
    ["null", "null"],
    ["invalid UTF-8", new Uint8Array([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x3a, 0x31, 0x7d])],
    ["100,000 levels", '{"query":'.repeat(1) + "[".repeat(100_000) + "]".repeat(100_000) + "}"],
    ["100,000 levels of objects", '{"a":'.repeat(100_000) + "1" + "}".repeat(100_000)],
  ])("%s as a body is a 400", async (_, body) => {
    const error = await refusal(server, "POST", searchPath(), body);
    expect([error.status, error.type]).toEqual([400, "invalid_request_error"]);
  });

  test("a body above the limit is a 413 or ends the connection, with a length and without one", async () => {
    const big = JSON.stringify({ query: "x".repeat(3 << 20) });
    expect((await refusal(server, "POST", searchPath(), big)).status).toBe(413);
    const stream = new ReadableStream<Uint8Array>({
      start(controller) {
        for (let i = 0; i < 48; i++) controller.enqueue(new Uint8Array(65_536).fill(32));
        controller.close();
      },
    });
    const response = await server.fetch(searchPath(), {
      method: "POST",
      body: stream,
      headers: { "content-type": "application/json" },
    });
    expect(response.status).toBe(413);
    await response.body?.cancel();
  });

  test("filters that make no sense are refused by name", async () => {
    const nested = (depth: number): object =>
      depth === 0 ? { type: "eq", key: "a", value: 1 } : { type: "and", filters: [nested(depth - 1)] };
    const cases: object[] = [{ type: "eq", key: "a", value: { deep: 1 } }, { a: { $like: "b" } }, nested(17)];
    for (const filters of cases) {
      const error = await refusal(server, "POST", searchPath(), { query: "x", filters });
      expect([error.status, error.param?.split(".")[0]]).toEqual([400, "filters"]);
    }
  });

  test("metadata, attributes, names and lists have their bounds", async () => {
    const many = (n: number) => Object.fromEntries(Array.from({ length: n }, (_, i) => [`k${i}`, "v"]));
    const cases: [string, object][] = [
      ["/v1/vector_stores", { name: "x".repeat(257) }],
      ["/v1/vector_stores", { file_ids: Array.from({ length: 501 }, () => fileId) }],
      ["/v1/vector_stores", { expires_after: { anchor: "last_active_at", days: 0 } }],
      [
        "/v1/vector_stores",
        {
          chunking_strategy: { type: "static", static: { max_chunk_size_tokens: 99, chunk_overlap_tokens: 0 } },
          file_ids: [fileId],
        },
      ],
      [`/v1/vector_stores/${storeId}/files`, { file_id: fileId, attributes: many(17) }],
      [`/v1/vector_stores/${storeId}/files`, { file_id: fileId, attributes: { k: "v".repeat(513) } }],
      [`/v1/vector_stores/${storeId}/files`, { file_id: fileId, attributes: { k: ["list"] } }],
      [`/v1/vector_stores/${storeId}/file_batches`, {}],
      [`/v1/vector_stores/${storeId}/file_batches`, { file_ids: [] }],
      ["/v1/embeddings", { input: ["x", ""], model: "lectern-embed-en" }],
      ["/v1/embeddings", { input: [], model: "lectern-embed-en" }],
      ["/v1/embeddings", { input: "x", model: "lectern-embed-en", encoding_format: "hex" }],
      ["/v1/embeddings", { input: [-1], model: "lectern-embed-en" }],
      ["/v1/embeddings", { input: "x", model: "lectern-embed-en", dimensions: 0 }],
    ];
    for (const [path, body] of cases) {
      const error = await refusal(server, "POST", path, body);
      expect([path, JSON.stringify(body).slice(0, 80), error.status]).toEqual([
        path,
        JSON.stringify(body).slice(0, 80),
        400,
      ]);
    }
  });

  test("lists refuse a limit out of bounds", async () => {
    expect(await refusal(server, "GET", "/v1/vector_stores?limit=101")).toMatchObject({
      status: 400,
      param: "limit",
      code: "integer_above_max_value",
      message: "Invalid 'limit': integer above maximum value. Expected a value <= 100, but got 101 instead.",
    });
    expect(await refusal(server, "GET", "/v1/vector_stores?limit=0")).toMatchObject({
      status: 400,
      code: "integer_below_min_value",
    });
    expect(await refusal(server, "GET", "/v1/vector_stores?limit=ten")).toMatchObject({ status: 400, param: "limit" });
    expect(await refusal(server, "GET", "/v1/vector_stores?order=up")).toMatchObject({ status: 400, param: "order" });
  });
});

describe("uploads", () => {
  const form = (entries: [string, string | Blob, string?][]) => {
    const data = new FormData();
    for (const [name, value, filename] of entries) {
      if (typeof value === "string") data.set(name, value);
      else data.set(name, value, filename ?? "a.txt");
    }
    return data;
  };
  const text = new Blob(["text"]);

  test.each([
    ["no file", [["purpose", "assistants"]], 400, "file"],
    ["no purpose", [["file", text]], 400, "purpose"],
    [
      "an unknown purpose",
      [
        ["purpose", "fun"],
        ["file", text],
      ],
      400,
      "purpose",
    ],
    [
      "a file as text",
      [
        ["purpose", "assistants"],
        ["file", "text"],
      ],
      400,
      "file",
    ],
    [
      "an unknown field",
      [
        ["purpose", "assistants"],
        ["file", text],
        ["colour", "red"],
      ],
      400,
      "colour",
    ],
  ] as [string, [string, string | Blob, string?][], number, string][])("%s", async (_, entries, status, param) => {
    expect(await refusal(server, "POST", "/v1/files", form(entries))).toMatchObject({
      status,
      param,
      type: "invalid_request_error",
    });
  });

  test("a body that is no form, half a form, or a form without end", async () => {
    for (const [type, body] of [
      ["application/json", "{}"],
      ["multipart/form-data", "x"],
      ["multipart/form-data; boundary=b", '--b\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nassis'],
      ["multipart/form-data; boundary=b", "--b--\r\n"],
    ] as const) {
      const error = await refusal(server, "POST", "/v1/files", body, { "content-type": type });
      expect([type, error.status]).toEqual([type, 400]);
    }
  });

  test("a file above the limit is refused, and nothing of it stays", async () => {
    const before = await json<{ data: unknown[] }>(server, "GET", "/v1/files");
    const big = new Blob([new Uint8Array(5 << 20)]);
    expect(
      (
        await refusal(
          server,
          "POST",
          "/v1/files",
          form([
            ["purpose", "assistants"],
            ["file", big],
          ]),
        )
      ).status,
    ).toBe(413);
    expect((await json<{ data: unknown[] }>(server, "GET", "/v1/files")).data).toHaveLength(before.data.length);
  });

  test.each(["nul\0name.txt", "bell\u0007\u001b[31m.txt"])(
    "a file named %j breaks the form's headers and is refused",
    async (name) => {
      const error = await refusal(
        server,
        "POST",
        "/v1/files",
        form([
          ["purpose", "assistants"],
          ["file", text, name],
        ]),
      );
      expect(error).toMatchObject({ status: 400, code: "invalid_multipart" });
    },
  );

  test.each([
    ["../../etc/passwd", "passwd"],
    ["..\\..\\windows\\system.ini", "system.ini"],
    ["/etc/shadow", "shadow"],
    ["right-to-left\u202Etxt.exe", null],
    ["x".repeat(5000), null],
    ["файл 文件 🗂.txt", "файл 文件 🗂.txt"],
  ])("a file named %j keeps a name that is safe to show", async (name, expected) => {
    const id = await upload(server, name, "text");
    const { filename } = await json<{ filename: string }>(server, "GET", `/v1/files/${id}`);
    if (expected !== null) expect(filename).toEndWith(expected);
    expect(filename).not.toMatch(/[\0-\x1f\x7f\u202E]/);
    expect(filename).not.toContain("../");
    expect(filename.length).toBeGreaterThan(0);
    expect(filename.length).toBeLessThanOrEqual(1024);
    expect(await (await server.fetch(`/v1/files/${id}/content`)).text()).toBe("text");
  });
});

describe("documents", () => {
  const settle = async (name: string, content: string | Uint8Array): Promise<StoreFile> => {
    const id = await upload(server, name, content);
    await json(server, "POST", `/v1/vector_stores/${storeId}/files`, { file_id: id });
    return await settled(server, storeId, id);
  };

  test.each([
    ["an empty file", "empty.txt", new Uint8Array()],
    ["an empty PDF", "empty.pdf", new Uint8Array()],
    ["random bytes named .pdf", "noise.pdf", crypto.getRandomValues(new Uint8Array(4096))],
    ["random bytes", "noise.bin", crypto.getRandomValues(new Uint8Array(4096))],
    ["a PDF that is cut off", "cut.pdf", "%PDF-1.7\n1 0 obj\n<< /Type /Catalog"],
    ["a page without a letter", "blank.pdf", pdf("0 0 m 100 100 l S")],
  ])("%s fails with a reason", async (_, name, content) => {
    const file = await settle(name, content);
    expect(file.status).toBe("failed");
    expect(["invalid_file", "unsupported_file"]).toContain(file.last_error?.code ?? "");
    expect(file.last_error?.message.length).toBeGreaterThan(10);
    expect(file.usage_bytes).toBe(0);
  });

  test("a PDF whose drawing takes for ever ends at its deadline, beside a text that is indexed at once", async () => {
    const hostile = await upload(server, "quadratic.pdf", pdf("q ".repeat(100_000)));
    const small = await upload(server, "small.txt", "A small text beside it.");
    const path = `/v1/vector_stores/${storeId}/files`;
    await json(server, "POST", path, { file_id: hostile });
    await json(server, "POST", path, { file_id: small });
    expect((await settled(server, storeId, small)).status).toBe("completed");
    expect((await json<{ status: string }>(server, "GET", `${path}/${hostile}`)).status).toBe("in_progress");
    const file = await settled(server, storeId, hostile);
    expect(file).toMatchObject({ status: "failed", last_error: { code: "invalid_file" } });
  }, 180_000);

  test("deep JSON and a line of a million letters are indexed or refused, quickly", async () => {
    for (const [name, content] of [
      ["deep.json", "[".repeat(100_000) + "]".repeat(100_000)],
      ["line.txt", "a".repeat(1_000_000)],
      ["line.md", `# ${"word ".repeat(100_000)}`],
    ] as const) {
      const file = await settle(name, content);
      expect(["completed", "failed"]).toContain(file.status);
    }
  }, 180_000);

  test("an unknown file is not attached, and nothing of the batch is", async () => {
    const before = await json<{ file_counts: { total: number } }>(server, "GET", `/v1/vector_stores/${storeId}`);
    expect(
      await refusal(server, "POST", `/v1/vector_stores/${storeId}/file_batches`, {
        file_ids: [fileId, "file-unknown"],
      }),
    ).toMatchObject({ status: 404 });
    const after = await json<{ file_counts: { total: number } }>(server, "GET", `/v1/vector_stores/${storeId}`);
    expect(after.file_counts.total).toBe(before.file_counts.total);
  });
});

describe("the connection", () => {
  test.each([
    ["no HTTP at all", "hello\r\n\r\n"],
    ["two lengths", "POST /v1/vector_stores HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"],
    ["a header of 200 kB", `GET /v1/models HTTP/1.1\r\nHost: x\r\nX-Long: ${"a".repeat(200_000)}\r\n\r\n`],
    ["nothing but a newline", "\r\n\r\n"],
  ])("%s is answered or closed", async (_, bytes) => {
    const answer = await raw(bytes);
    expect(answer === "" || /^HTTP\/1\.1 4\d\d/.test(answer)).toBe(true);
  });

  test("a client that leaves in the middle of an upload leaves nothing behind", async () => {
    const before = (await json<{ data: unknown[] }>(server, "GET", "/v1/files")).data.length;
    const head = `POST /v1/files HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${server.key}\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 100000\r\n\r\n`;
    await raw(`${head}--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nhalf`, true);
    expect((await json<{ data: unknown[] }>(server, "GET", "/v1/files")).data).toHaveLength(before);
  });
});

/** Sends bytes as they are; resolves to what came back until the connection ended, or at once if `leave`. */
function raw(bytes: string, leave = false): Promise<string> {
  const { hostname, port } = new URL(server.url);
  const { promise, resolve } = Promise.withResolvers<string>();
  let answer = "";
  const socket = connect(Number(port), hostname, () => {
    socket.write(bytes, () => {
      if (leave) socket.destroy();
      else socket.end();
    });
  });
  socket.on("data", (data) => (answer += data.toString("latin1")));
  socket.on("error", () => resolve(answer));
  socket.on("close", () => resolve(answer));
  return promise;
}

/** A PDF of one page with the given drawing operators, compressed. */
function pdf(operators: string): Uint8Array {
  const stream = deflateSync(Buffer.from(operators));
  const objects = [
    "<< /Type /Catalog /Pages 2 0 R >>",
    "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
    "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 200 200] /Contents 4 0 R /Resources << >> >>",
  ];
  const parts: Buffer[] = [Buffer.from("%PDF-1.7\n")];
  const offsets: number[] = [];
  const length = () => parts.reduce((sum, part) => sum + part.length, 0);
  objects.forEach((object, i) => {
    offsets.push(length());
    parts.push(Buffer.from(`${i + 1} 0 obj\n${object}\nendobj\n`));
  });
  offsets.push(length());
  parts.push(
    Buffer.from(`4 0 obj\n<< /Length ${stream.length} /Filter /FlateDecode >>\nstream\n`),
    stream,
    Buffer.from("\nendstream\nendobj\n"),
  );
  const start = length();
  const rows = offsets.map((offset) => `${String(offset).padStart(10, "0")} 00000 n \n`).join("");
  parts.push(
    Buffer.from(
      `xref\n0 5\n0000000000 65535 f \n${rows}trailer\n<< /Size 5 /Root 1 0 R >>\nstartxref\n${start}\n%%EOF\n`,
    ),
  );
  return new Uint8Array(Buffer.concat(parts));
}
