import { describe, expect, test } from "bun:test";
import { KEYS, storeApp, type StoreApp } from "../../app/testing/store-app.ts";
import { DIMENSIONS, vectorOf } from "../../app/testing/words-model.ts";

const NDJSON = { authorization: `Bearer ${KEYS.write}`, "content-type": "application/x-ndjson" };

async function newStore(f: StoreApp): Promise<string> {
  return (await f.call("POST", "/v1/vector_stores", {})).json.id as string;
}

const lineOf = (n: number, more: object = {}) =>
  JSON.stringify({ content: `word${n} of many`, embedding: [...vectorOf(`word${n}`)], metadata: { n }, ...more });

const send = (f: StoreApp, store: string, body: string | Uint8Array, headers = NDJSON) =>
  f.call("POST", `/v1/vector_stores/${store}/embeddings/batch`, body, headers);

async function standing(f: StoreApp, store: string): Promise<number> {
  return (await f.call("GET", `/v1/vector_stores/${store}`)).json.index.chunks as number;
}

describe("embeddings that come one a line", () => {
  test("are put in, each with its own metadata, and found", async () => {
    await using f = await storeApp();
    const store = await newStore(f);
    const body = `${Array.from({ length: 620 }, (_, n) => lineOf(n)).join("\n")}\n\n`;
    const { status, json } = await send(f, store, body);
    expect([status, json]).toEqual([200, { object: "embedding.stream", vector_store_id: store, inserted: 620 }]);
    expect(await standing(f, store)).toBe(620);
    const wanted = { query: "word600", filters: { type: "gte", key: "n", value: 599 }, max_num_results: 50 };
    const found = (await f.call("POST", `/v1/vector_stores/${store}/search`, wanted)).json.data;
    expect(found).toHaveLength(21);
    expect(found[0]).toMatchObject({ attributes: { n: 600 }, content: [{ text: "word600 of many" }] });
    expect(f.embedded.filter((text) => text.includes("of many"))).toEqual([]);
  });

  test("may come compressed, without vectors, and not at all", async () => {
    await using f = await storeApp();
    const store = await newStore(f);
    const body = Bun.gzipSync(Buffer.from('{"content":"one"}\n{"content":"two","id":"7"}'));
    const { json } = await send(f, store, body, { ...NDJSON, "content-encoding": "gzip" } as typeof NDJSON);
    expect([json.inserted, f.embedded]).toEqual([2, ["one", "two"]]);
    expect((await send(f, store, "")).json).toMatchObject({ inserted: 0 });
    expect((await send(f, "vs_nope", "")).json.error.code).toBe("vector_store_not_found");
  });

  test.each<[broken: string, code: string, param: string]>([
    ["{", "invalid_json", "lines[301]"],
    [lineOf(1, { embedding: [1, 2] }), "invalid_dimensions", "lines[301].embedding"],
    [lineOf(1, { embedding: Array(DIMENSIONS).fill(1e300) }), "invalid_value", "lines[301].embedding[0]"],
    [lineOf(1, { content: "" }), "string_below_min_length", "lines[301].content"],
    [lineOf(1, { metadata: { x: [1] } }), "invalid_type", "lines[301].metadata.x"],
    [lineOf(1, { file_id: "file-nope" }), "file_not_found", "lines[301].file_id"],
    [lineOf(1, { content: "x".repeat(1024 * 1024) }), "payload_too_large", "lines[301]"],
  ])("stand as far as they were whole where a line is broken (%#: %.30s)", async (broken, code, param) => {
    await using f = await storeApp();
    const store = await newStore(f);
    const lines = Array.from({ length: 600 }, (_, n) => (n === 300 ? broken : lineOf(n)));
    const { status, json, headers } = await send(f, store, lines.join("\n"));
    expect([status >= 400, json.error.code, json.error.param]).toEqual([true, code, param]);
    expect(json).toMatchObject({ inserted: 300, line: 301 });
    expect(json.error.message).toContain("300 embeddings stand: send the lines from 301 on again");
    // A client that sent it again by itself would put what stands in twice.
    expect(headers.get("x-should-retry")).toBe("false");
    expect(await standing(f, store)).toBe(300);
  });

  test("leave whole runs where the body breaks off", async () => {
    await using f = await storeApp();
    const store = await newStore(f);
    let sent = 0;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (sent < 700) controller.enqueue(Buffer.from(`${lineOf(sent++)}\n`));
        else controller.error(new Error("reset"));
      },
    });
    const request = new Request(`http://localhost/v1/vector_stores/${store}/embeddings/batch`, {
      method: "POST",
      headers: NDJSON,
      body,
      duplex: "half",
    } as RequestInit);
    const answer = (await (await f.app.handle(request)).json()) as { error: { code: string }; inserted: number };
    expect([answer.error.code, answer.inserted, await standing(f, store)]).toEqual(["invalid_value", 500, 500]);
  });

  test("end where the key is not valid any more, the quota is used up or the server stops", async () => {
    await using f = await storeApp();
    const store = await newStore(f);
    let sent = 0;
    const streamed = (key: string, at: (n: number) => Promise<void> | void) => {
      sent = 0;
      const body = new ReadableStream<Uint8Array>(
        {
          async pull(controller) {
            await at(sent);
            if (sent >= 2000) return controller.close();
            controller.enqueue(Buffer.from(`${lineOf(sent++)}\n`));
          },
        },
        { highWaterMark: 0 },
      );
      const headers = { ...NDJSON, authorization: `Bearer ${key}` };
      const path = `http://localhost/v1/vector_stores/${store}/embeddings/batch`;
      return f.app.handle(new Request(path, { method: "POST", headers, body, duplex: "half" } as RequestInit));
    };
    const admin = { authorization: `Bearer ${KEYS.admin}` };
    const made = (await f.call("POST", "/v1/admin/keys", { name: "k", role: "write" }, admin)).json;
    const revoked = await streamed(made.key, async (n) => {
      if (n === 400) await f.call("DELETE", `/v1/admin/keys/${made.id}`, undefined, admin);
    });
    const told = (await revoked.json()) as { inserted: number };
    expect([revoked.status, told.inserted]).toEqual([401, await standing(f, store)]);
    expect(told.inserted).toBeLessThan(1000);
    const stopped = await streamed(KEYS.write, (n) => {
      if (n === 400) f.stopping.abort();
    });
    expect(((await stopped.json()) as { error: { code: string } }).error.code).toBe("shutting_down");
    expect(sent).toBeLessThan(1500);
  });

  test("count for the quota while they come", async () => {
    await using f = await storeApp();
    const store = await newStore(f);
    const operator = { authorization: `Bearer ${KEYS.admin}` };
    const quotas = { max_bytes: 10_000 };
    expect((await f.call("POST", "/v1/admin/tenants/ten_a", { quotas }, operator)).status).toBe(200);
    const body = Array.from({ length: 1000 }, (_, n) => lineOf(n)).join("\n");
    const { json } = await send(f, store, body);
    expect([json.error.code, json.inserted]).toEqual(["storage_limit_reached", 500]);
    expect(await standing(f, store)).toBe(500);
  });
});
