import { describe, expect, test } from "bun:test";
import { tempDir } from "../../test/helpers/temp-dir.ts";
import { fileForBackup, readBackup, writeBackup } from "./backup-archive.ts";
import { TAR_END, TarError, tarHeader, tarPadding } from "./tar.ts";

const MANIFEST = { format: 1, lectern: "0.1.0", created_at: 1_700_000_000 };

interface Made {
  manifest?: unknown;
  checksums?: Record<string, string>;
}

/** An archive as a backup is, with whatever names and lists. */
async function* archive(names: readonly string[], { manifest, checksums }: Made = {}): AsyncGenerator<Uint8Array> {
  const sums: Record<string, string> = {};
  const entry = function* (name: string, text: string) {
    const bytes = new TextEncoder().encode(text);
    yield tarHeader({ name, bytes: bytes.byteLength }, 0);
    yield bytes;
    yield tarPadding(bytes.byteLength);
  };
  yield* entry("lectern-backup.json", JSON.stringify(manifest ?? { ...MANIFEST, files: names.length }));
  for (const name of names) {
    yield* entry(name, name);
    sums[name] = new Bun.CryptoHasher("sha256").update(name).digest("hex");
  }
  yield* entry("checksums.json", JSON.stringify(checksums ?? sums));
  yield TAR_END;
}

async function read(stream: AsyncIterable<Uint8Array>): Promise<string[]> {
  const names: string[] = [];
  await readBackup(stream, async (name, content) => {
    names.push(name);
    for await (const _ of content);
  });
  return names;
}

async function refusal(stream: AsyncIterable<Uint8Array>): Promise<string> {
  try {
    return `read: ${(await read(stream)).join(", ")}`;
  } catch (error) {
    expect(error).toBeInstanceOf(TarError);
    return (error as TarError).message;
  }
}

test("what is written is read", async () => {
  using dir = tempDir();
  const path = dir.join("x");
  await Bun.write(path, "content");
  const names = ["meta.sqlite", "models.toml", "blobs/0f/file-Ab_1", "models/a/b..c/.x", "models/m/x"];
  const files = [...names, "ocr/chi_sim.traineddata"].map((name) => fileForBackup(name, path, 7));
  expect(await read(writeBackup({ lectern: "0.1.0-rc.1+x", created_at: 1 }, files))).toEqual(files.map((f) => f.name));
});

const DOES_NOT_BELONG =
  `../evil /etc/passwd blobs/../../evil models/../../evil blobs/ab/../../evil models/a/../b models/./x
  models//x models/x/ models/. models/.. meta.sqlite/x cli.json native/x lock blobs/AB/x blobs/ab/a.b models/x\u0001y
  lectern-backup.json models ocr/x.txt ocr/../x.traineddata ocr/a/b.traineddata ocr/deu.traineddata.1.tmp`.split(/\s+/);

describe("a backup is refused with the name", () => {
  for (const name of DOES_NOT_BELONG) {
    test(JSON.stringify(name.slice(0, 40)), async () => {
      expect(await refusal(archive(["meta.sqlite", name]))).toMatch(/^the name ".*" does not belong into a backup$/);
    });
  }
});

const CASES: [string, readonly string[], Made, string][] = [
  ["a file twice", ["meta.sqlite", "models/m/x", "models/m/x"], {}, '"models/m/x" is in it twice'],
  ["the database twice", ["meta.sqlite", "meta.sqlite"], {}, '"meta.sqlite" is in it twice'],
  ["a file that is a folder", ["meta.sqlite", "models/m", "models/m/x"], {}, '"models/m" is both a file and a folder'],
  [
    "a folder that is a file",
    ["meta.sqlite", "models/m/x/y", "models/m"],
    {},
    '"models/m" is both a file and a folder',
  ],
  ["no database", ["models.toml"], {}, "there is no meta.sqlite in it"],
  ["nothing", [], {}, "there is no meta.sqlite in it"],
  ["a checksum less", ["meta.sqlite"], { checksums: {} }, '"meta.sqlite" is damaged'],
  ["files less", ["meta.sqlite"], { manifest: { ...MANIFEST, files: 2 } }, "files are missing"],
  [
    "another format",
    ["meta.sqlite"],
    { manifest: { ...MANIFEST, format: 2, files: 1 } },
    "the backup has format 2; this",
  ],
  ["no manifest", ["meta.sqlite"], { manifest: "none" }, "the backup is damaged"],
];

describe("a backup is refused with", () => {
  for (const [name, names, made, message] of CASES)
    test(name, async () => expect(await refusal(archive(names, made))).toStartWith(message));

  test("a time or a version that is none", async () => {
    for (const created_at of [1e300, -1, "now", null, "\u001b[31m"])
      expect(await refusal(archive(["meta.sqlite"], { manifest: { ...MANIFEST, files: 1, created_at } }))).toBe(
        "the backup is damaged",
      );
    for (const lectern of ["\u001b]0;x\u0007", "", 1, "y".repeat(65)])
      expect(await refusal(archive(["meta.sqlite"], { manifest: { ...MANIFEST, files: 1, lectern } }))).toBe(
        "the backup is damaged",
      );
  });

  test("a checksum under a name that objects have", async () => {
    const checksums = JSON.parse('{"__proto__": "x"}') as Record<string, string>;
    expect(await refusal(archive(["meta.sqlite"], { checksums }))).toMatch(/is damaged$/);
  });

  test("lists that would fill the memory, before they are read", async () => {
    let asked = 0;
    const large = async function* (name: string, before: AsyncIterable<Uint8Array> | null) {
      if (before !== null) for await (const piece of before) yield piece;
      yield tarHeader({ name, bytes: 6 * 2 ** 30 }, 0);
      for (;;) {
        asked += 1;
        yield new Uint8Array(65_536);
      }
    };
    expect(await refusal(large("lectern-backup.json", null))).toBe("its list of contents is too large");
    const begun = async function* () {
      const text = new TextEncoder().encode(JSON.stringify({ ...MANIFEST, files: 1 }));
      yield tarHeader({ name: "lectern-backup.json", bytes: text.byteLength }, 0);
      yield text;
      yield tarPadding(text.byteLength);
    };
    expect(await refusal(large("checksums.json", begun()))).toBe("its list of contents is too large");
    expect(asked).toBeLessThan(3);
  });
});
