import { expect, test } from "bun:test";
import { join } from "node:path";
import { tempDir } from "../../test/helpers/temp-dir.ts";
import { fileForBackup, readBackup, writeBackup } from "./backup-archive.ts";
import { readTar, TAR_END, TarError, tarHeader, tarPadding } from "./tar.ts";

async function* pieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += size) yield bytes.subarray(at, at + size);
}

function archive(files: Record<string, string>): Uint8Array {
  const parts = Object.entries(files).flatMap(([name, text]) => {
    const content = new TextEncoder().encode(text);
    return [tarHeader({ name, bytes: content.byteLength }, 1_700_000_000), content, tarPadding(content.byteLength)];
  });
  return Buffer.concat([...parts, TAR_END]);
}

async function unpack(bytes: Uint8Array, size: number): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  for await (const { name, content } of readTar(pieces(bytes, size))) {
    const parts: Uint8Array[] = [];
    for await (const part of content) parts.push(part);
    files[name] = Buffer.concat(parts).toString();
  }
  return files;
}

const FILES = {
  "a.txt": "hello",
  empty: "",
  [`long/${"x".repeat(90)}/${"y".repeat(60)}`]: "deep",
  "b.bin": "z".repeat(1300),
};

test("files come back whatever the pieces they arrive in", async () => {
  for (const size of [1, 7, 512, 100_000]) expect(await unpack(archive(FILES), size)).toEqual(FILES);
});

test("an ordinary tar program reads it", () => {
  const listed = Bun.spawnSync(["tar", "tf", "-"], { stdin: archive(FILES) });
  expect(listed.stdout.toString().trim().split("\n")).toEqual(Object.keys(FILES));
});

test("an archive that is cut off or damaged is refused", async () => {
  const whole = archive(FILES);
  expect(unpack(whole.slice(0, 700), 512)).rejects.toThrow(TarError);
  const damaged = whole.slice();
  damaged[3] = 0x41;
  expect(unpack(damaged, 512)).rejects.toThrow("damaged");
});

test("a backup with one bit changed, cut off, or with a name that leads out is refused", async () => {
  const temp = tempDir();
  const dir = temp.path;
  try {
    const path = join(dir, "meta.sqlite");
    await Bun.write(path, "the database ".repeat(100));
    const write = async (name: string) => {
      const parts: Uint8Array[] = [];
      for await (const part of writeBackup({ lectern: "test", created_at: 1 }, [fileForBackup(name, path, 1300)]))
        parts.push(part);
      return Buffer.concat(parts);
    };
    const check = (bytes: Uint8Array) =>
      readBackup(pieces(bytes, 1000), async (_name, content) => {
        for await (const _ of content);
      });
    const good = await write("meta.sqlite");
    expect(await check(good)).toEqual({ format: 1, lectern: "test", created_at: 1, files: 1 });
    for (let at = 0; at < good.byteLength - 1024; at += 97) {
      const flipped = Uint8Array.from(good);
      flipped[at] = (flipped[at] ?? 0) ^ 4;
      const isPadding =
        good[at] === 0 &&
        (await check(flipped).then(
          () => true,
          () => false,
        ));
      if (!isPadding) expect(check(flipped)).rejects.toThrow();
    }
    expect(check(good.subarray(0, good.byteLength - 2048))).rejects.toThrow();
    expect(check(await write("blobs/../../evil"))).rejects.toThrow("does not belong");
    expect(check(await write("/etc/passwd"))).rejects.toThrow("does not belong");
  } finally {
    temp[Symbol.dispose]();
  }
});

test("a backup that says nothing useful about itself is refused", async () => {
  const about = { format: 1, lectern: "test", created_at: 1, files: 0 };
  const read = (manifest: unknown, checksums: unknown = {}) => {
    const files = { "lectern-backup.json": JSON.stringify(manifest), "checksums.json": JSON.stringify(checksums) };
    return readBackup(pieces(archive(files), 512), async () => {});
  };
  await expect(read(about)).rejects.toThrow("there is no meta.sqlite in it");
  await expect(read({ format: 2, pages: [] })).rejects.toThrow("format 2; this Lectern reads format 1");
  for (const wrong of [null, 7, [], { format: 1 }, { ...about, files: "0" }, { ...about, created_at: null }])
    await expect(read(wrong)).rejects.toThrow(TarError);
  for (const wrong of [null, [], { "meta.sqlite": 7 }]) await expect(read(about, wrong)).rejects.toThrow("damaged");
});
