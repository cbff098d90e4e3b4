import { describe, expect, test } from "bun:test";
import zlib from "node:zlib";
import { JsonBodies } from "./body.ts";
import { jsonLimit } from "./body-limit.ts";
import { decodedRequest } from "./content-encoding.ts";

const zstd = zlib as unknown as { zstdCompressSync(data: Uint8Array, options?: object): Buffer };
const TEXT = JSON.stringify({ input: "word ".repeat(5000) });
const plain = Buffer.from(TEXT);

function request(body: Uint8Array, encoding: string): Request {
  const headers = { "content-encoding": encoding, "content-length": String(body.byteLength) };
  return new Request("http://localhost/v1/x", { method: "POST", body: body as Uint8Array<ArrayBuffer>, headers });
}

const read = async (body: Uint8Array, encoding: string, most = 1e6) =>
  await new JsonBodies().read(decodedRequest(request(body, encoding)), jsonLimit(most, 1000), "");

describe("a compressed body", () => {
  test.each<[string, string, Uint8Array]>([
    ["gzip", "gzip", zlib.gzipSync(plain)],
    ["the older name of gzip", "x-gzip", zlib.gzipSync(plain)],
    ["capitals and blanks", " GZIP ", zlib.gzipSync(plain)],
    [
      "gzip in two members",
      "gzip",
      Buffer.concat([zlib.gzipSync(plain.subarray(0, 9)), zlib.gzipSync(plain.subarray(9))]),
    ],
    ["deflate", "deflate", zlib.deflateSync(plain)],
    ["deflate without its frame", "deflate", zlib.deflateRawSync(plain)],
    ["brotli", "br", zlib.brotliCompressSync(plain)],
    ["zstandard", "zstd", zstd.zstdCompressSync(plain)],
    ["one coding over the other, in the order applied", "gzip, br", zlib.brotliCompressSync(zlib.gzipSync(plain))],
    ["none at all, said twice", "identity, identity", plain],
  ])("is read: %s", async (_name, encoding, body) => {
    expect(await read(body, encoding)).toEqual(JSON.parse(TEXT));
  });

  test("of nothing counts as none", async () => {
    expect(await read(zlib.gzipSync(""), "gzip")).toEqual({});
    expect(
      await new JsonBodies().read(decodedRequest(request(new Uint8Array(0), "gzip")), jsonLimit(10, 10), ""),
    ).toEqual({});
  });

  test.each(["compress", "gzip, br, zstd", "gzip;q=1", "aes128gcm", "__proto__"])(
    "in %s is refused",
    async (encoding) => {
      expect(await codeOf(read(plain, encoding))).toBe("unsupported_encoding");
    },
  );

  test.each<[string, string, Uint8Array]>([
    ["cut short", "gzip", zlib.gzipSync(plain).subarray(0, 40)],
    ["not compressed at all", "gzip", plain],
    ["of another coding", "br", zlib.gzipSync(plain)],
    ["with a damaged check", "gzip", damaged(zlib.gzipSync(plain))],
  ])("that is %s is refused with a word of it", async (_name, encoding, body) => {
    expect(await codeOf(read(body, encoding))).toBe("invalid_encoding");
  });

  test.each<[string, Uint8Array]>([
    ["gzip", zlib.gzipSync(Buffer.alloc(64 * 1024 * 1024))],
    [
      "br",
      zlib.brotliCompressSync(Buffer.alloc(64 * 1024 * 1024), { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 3 } }),
    ],
    ["gzip, gzip", zlib.gzipSync(zlib.gzipSync(Buffer.alloc(64 * 1024 * 1024)))],
  ])("that unfolds beyond the bound is not unfolded further: %s", async (encoding, bomb) => {
    const before = process.memoryUsage().rss;
    expect(await codeOf(read(bomb, encoding, 1024 * 1024))).toBe("payload_too_large");
    expect(process.memoryUsage().rss - before).toBeLessThan(32 * 1024 * 1024);
  });

  test("may be as large as the bound and no larger", async () => {
    expect(await read(zlib.gzipSync(plain), "gzip", plain.byteLength)).toEqual(JSON.parse(TEXT));
    expect(await codeOf(read(zlib.gzipSync(plain), "gzip", plain.byteLength - 1))).toBe("payload_too_large");
  });
});

test("a body that is not compressed is left alone", () => {
  const given = new Request("http://localhost/v1/x", { method: "POST", body: "{}" });
  expect(decodedRequest(given)).toBe(given);
});

function damaged(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  copy[copy.length - 8] = (copy[copy.length - 8] ?? 0) ^ 0xff;
  return copy;
}

async function codeOf(work: Promise<unknown>): Promise<unknown> {
  try {
    return await work;
  } catch (error) {
    return (error as { code?: string }).code;
  }
}
