import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, utimesSync } from "node:fs";
import { startS3Server } from "../../test/helpers/s3-server.ts";
import { tempDir } from "../../test/helpers/temp-dir.ts";
import { createDiskTrust } from "../platform/disk-trust.ts";
import { BlobBucket } from "./blob-bucket.ts";
import { BlobDirectory, createBlobs } from "./blob-directory.ts";
import { parseBlobPlace } from "./blob-place.ts";
import { BlobGoneError, type Blobs, BlobsAwayError } from "./blobs.ts";
import { MovingBlobs } from "./blobs-moving.ts";

const bytesOf = (text: string) => new TextEncoder().encode(text);

async function put(blobs: Blobs, id: string, content: Uint8Array): Promise<void> {
  const writer = await blobs.writer();
  try {
    await writer.write(content);
    await writer.commit(id);
  } finally {
    await writer.discard();
  }
}

async function idsOf(blobs: Blobs): Promise<string[]> {
  const ids: string[] = [];
  for await (const id of blobs.settled()) ids.push(id);
  return ids.toSorted();
}

function bucketAt(endpoint: string, tmp: string): BlobBucket {
  return new BlobBucket({
    endpoint,
    region: null,
    bucket: "docs",
    prefix: "lectern/",
    accessKey: "key",
    secretKey: "secret",
    tmp,
    timeoutMs: 300,
  });
}

describe("a bucket", () => {
  test("keeps what is written, whole and by parts, and gives it back", async () => {
    await using server = startS3Server();
    using dir = tempDir();
    await using blobs = bucketAt(server.endpoint, dir.path);
    await blobs.check();
    const large = new Uint8Array(12_000_000).map((_, i) => i % 251);
    await put(blobs, "file-large", large);
    await put(blobs, "file-empty", new Uint8Array());
    await put(blobs, "file-text", bytesOf("tides rise"));
    expect([...server.objects.keys()].toSorted()).toEqual([
      "lectern/file-empty",
      "lectern/file-large",
      "lectern/file-text",
    ]);
    expect(await Promise.all(["file-large", "file-empty", "file-none"].map((id) => blobs.size(id)))).toEqual([
      12_000_000,
      0,
      null,
    ]);
    expect(await new Response(blobs.read("file-text")).text()).toBe("tides rise");
    expect(await new Response(blobs.read("file-text", 6)).text()).toBe("rise");
    expect(await new Response(blobs.read("file-text", 2, 5)).text()).toBe("des");
    {
      await using copy = await blobs.localCopy("file-large");
      expect(readFileSync(copy.path).equals(large)).toBe(true);
    }
    await blobs.remove("file-large");
    await blobs.remove("file-large");
    expect(await blobs.size("file-large")).toBeNull();
    expect(blobs.localCopy("file-large")).rejects.toThrow(BlobGoneError);
    expect(readdirSync(dir.path)).toEqual([]);
  });

  test.each(["error", "silent", "full", "forbidden"] as const)(
    "that answers with %s is away, and nothing stays behind",
    async (how) => {
      await using server = startS3Server();
      using dir = tempDir();
      await using blobs = bucketAt(server.endpoint, dir.path);
      await put(blobs, "file-before", bytesOf("kept"));
      server.behave(how);
      expect(put(blobs, "file-new", bytesOf("lost"))).rejects.toThrow(BlobsAwayError);
      await put(blobs, "file-new", bytesOf("lost")).catch(() => {});
      expect(readdirSync(dir.path)).toEqual([]);
      server.behave("well");
      expect(await blobs.size("file-new")).toBeNull();
      expect(await new Response(blobs.read("file-before")).text()).toBe("kept");
    },
  );

  test("that kept less than was sent is not believed", async () => {
    await using server = startS3Server();
    using dir = tempDir();
    await using blobs = bucketAt(server.endpoint, dir.path);
    server.behave("short");
    expect(put(blobs, "file-a", bytesOf("tides rise"))).rejects.toThrow(/5 bytes of 10/);
  });

  test("refuses what it may not be used for, by its own words", async () => {
    await using server = startS3Server();
    using dir = tempDir();
    await using blobs = new BlobBucket({
      ...{ endpoint: server.endpoint, region: null, bucket: "other", prefix: "", tmp: dir.path },
      ...{ accessKey: "key", secretKey: "secret" },
    });
    expect(blobs.check()).rejects.toThrow(/NoSuchBucket/);
  });

  test("lists for the sweep of orphans what is old enough to have its row, page by page", async () => {
    await using server = startS3Server();
    using dir = tempDir();
    await using blobs = bucketAt(server.endpoint, dir.path);
    const ids = Array.from({ length: 1003 }, (_, i) => `file-${String(i).padStart(4, "0")}`);
    for (const id of ids) await put(blobs, id, bytesOf(id));
    server.age(3601);
    await put(blobs, "file-new", bytesOf("x"));
    expect(await idsOf(blobs)).toEqual(ids);
  });

  test("removes nothing while removals are held, and all of it after", async () => {
    await using server = startS3Server();
    using dir = tempDir();
    await using blobs = bucketAt(server.endpoint, dir.path);
    await put(blobs, "file-a", bytesOf("a"));
    const release = blobs.holdRemovals();
    expect(blobs.holdRemovals()).toBeNull();
    await blobs.remove("file-a");
    expect(await blobs.size("file-a")).toBe(1);
    await release?.();
    expect(await blobs.size("file-a")).toBeNull();
  });

  test("a removal while the bucket is away resolves", async () => {
    await using server = startS3Server();
    using dir = tempDir();
    await using blobs = bucketAt(server.endpoint, dir.path);
    await put(blobs, "file-a", bytesOf("a"));
    server.behave("error");
    await blobs.remove("file-a");
    server.behave("well");
    expect(await blobs.size("file-a")).toBe(1);
    await blobs.removeAgain();
    expect(await blobs.size("file-a")).toBeNull();
  });
});

describe("blobs that move to a bucket", () => {
  test("are to be had before, while and after, and are then in the bucket alone", async () => {
    await using server = startS3Server();
    using dir = tempDir();
    const own = createBlobs(dir.path);
    for (const id of ["file-a", "file-b", "file-c"]) await put(own, id, bytesOf(id));
    await using bucket = bucketAt(server.endpoint, dir.join("tmp"));
    const blobs = new MovingBlobs(own, bucket);
    await put(blobs, "file-new", bytesOf("new"));
    await blobs.remove("file-c");
    const copy = await blobs.localCopy("file-b");
    await blobs.move(new AbortController().signal);
    expect([...server.objects.keys()].toSorted()).toEqual(["lectern/file-a", "lectern/file-b", "lectern/file-new"]);
    expect(readFileSync(copy.path, "utf8")).toBe("file-b"); // held by a parser: still there
    await copy[Symbol.asyncDispose]();
    expect([existsSync(copy.path), own.list()]).toEqual([false, []]);
    for (const id of ["file-a", "file-b"]) expect(await new Response(blobs.read(id)).text()).toBe(id);
    expect([await blobs.size("file-c"), blobs.left]).toEqual([null, 0]);
  });

  test("stay where they are while the bucket is away, and one that is removed on its way is gone from both", async () => {
    await using server = startS3Server();
    using dir = tempDir();
    const own = createBlobs(dir.path);
    for (const id of ["file-a", "file-b"]) await put(own, id, bytesOf(id));
    await using bucket = bucketAt(server.endpoint, dir.join("tmp"));
    const blobs = new MovingBlobs(own, bucket);
    server.behave("error");
    expect(blobs.move(new AbortController().signal)).rejects.toThrow(BlobsAwayError);
    await blobs.move(new AbortController().signal).catch(() => {});
    expect([own.list().length, await new Response(blobs.read("file-a")).text()]).toEqual([2, "file-a"]);
    server.behave("well");
    const moving = blobs.move(new AbortController().signal);
    await blobs.remove("file-a");
    await blobs.remove("file-b");
    await moving;
    expect([own.list(), [...server.objects.keys()], blobs.left]).toEqual([[], [], 0]);
  });

  test("are read by whoever asked for them before they moved", async () => {
    await using server = startS3Server();
    using dir = tempDir();
    const own = createBlobs(dir.path);
    await put(own, "file-a", bytesOf("tides rise"));
    await using bucket = bucketAt(server.endpoint, dir.join("tmp"));
    const blobs = new MovingBlobs(own, bucket);
    const [whole, part, copy] = [blobs.read("file-a"), blobs.read("file-a", 6), blobs.localCopy("file-a")];
    await blobs.move(new AbortController().signal);
    await using held = await copy;
    expect(own.list()).toEqual(["file-a"]);
    expect(readFileSync(held.path, "utf8")).toBe("tides rise");
    await held[Symbol.asyncDispose]();
    expect(own.list()).toEqual([]);
    expect(await Promise.all([whole, part].map((stream) => new Response(stream).text()))).toEqual([
      "tides rise",
      "rise",
    ]);
  });

  test("that were removed while they were on their way are no failure", async () => {
    using dir = tempDir();
    const own = createBlobs(dir.path);
    for (const id of ["file-a", "file-b"]) await put(own, id, bytesOf(id));
    const place = new BlobDirectory({ root: dir.join("shared"), tmp: dir.join("there"), shared: true });
    const blobs = new MovingBlobs(own, place);
    const opened = Promise.withResolvers<void>();
    const writer = place.writer.bind(place);
    place.writer = async () => {
      await opened.promise;
      return await writer();
    };
    const moving = blobs.move(new AbortController().signal);
    await blobs.remove("file-a");
    opened.resolve();
    await moving;
    expect([own.list(), place.list(), blobs.left]).toEqual([[], ["file-b"], 0]);
  });
});

test("once a sync of the rows has failed nothing is removed from another place either, and nothing taken", async () => {
  using dir = tempDir();
  const trust = createDiskTrust();
  const place = new BlobDirectory({ root: dir.join("shared"), tmp: dir.join("tmp"), shared: true });
  const blobs = new MovingBlobs(createBlobs(dir.path, trust), place, trust);
  await put(blobs, "file-a", bytesOf("a"));
  trust.lose("the database", new Error("EIO"));
  await blobs.remove("file-a");
  expect(await place.size("file-a")).toBe(1);
  expect(await blobs.writer().catch((error: unknown) => error)).toMatchObject({ code: "storage_unavailable" });
});

describe("a shared directory", () => {
  test("is swept of what is old alone", async () => {
    using dir = tempDir();
    const blobs = new BlobDirectory({ root: dir.join("blobs"), tmp: dir.join("tmp"), shared: true });
    await put(blobs, "file-old", bytesOf("old"));
    await put(blobs, "file-new", bytesOf("new"));
    const before = Date.now() / 1000 - 7200;
    utimesSync(blobs.path("file-old"), before, before);
    expect(await idsOf(blobs)).toEqual(["file-old"]);
  });
});

describe("--blobs", () => {
  test("names a place", () => {
    expect(parseBlobPlace(null)).toEqual({ kind: "data" });
    expect(parseBlobPlace("file:///srv/shared%20files")).toEqual({ kind: "directory", path: "/srv/shared files" });
    expect(parseBlobPlace("s3://docs")).toEqual({
      kind: "bucket",
      bucket: "docs",
      prefix: "",
      endpoint: null,
      region: null,
    });
    expect(parseBlobPlace("s3://docs/a/b/?endpoint=https://s3.example:9000&region=eu-1")).toEqual({
      ...{ kind: "bucket", bucket: "docs", prefix: "a/b/", endpoint: "https://s3.example:9000", region: "eu-1" },
    });
  });

  test.each([
    ["/srv/files", "the forms are"],
    ["https://bucket", "the forms are"],
    ["file://host/srv", "file:///directory"],
    ["s3://key:secret@docs", "keys do not belong"],
    ["s3://A_B", "no name of a bucket"],
    ["s3://docs?endpont=https://x", 'unknown parameter "endpont"'],
    ["s3://docs?endpoint=s3.example", "endpoint must be an address"],
  ])("refuses %s", (value, message) => {
    expect(() => parseBlobPlace(value)).toThrow(message);
  });
});
