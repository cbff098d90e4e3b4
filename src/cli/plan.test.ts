import { mkdirSync, writeFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { expect, test } from "bun:test";
import { tempDir } from "../../test/helpers/temp-dir.ts";
import type { TempDir } from "../../test/helpers/temp-dir.ts";
import type { NamedFile } from "./ingest-file.ts";
import { planOf } from "./plan.ts";
import { StoreFiles } from "./store-files.ts";
import type { StoreFile } from "./store-files.ts";

const ROOT = "folder-0123456789abcdef";
const shaOf = (text: string) => new Bun.CryptoHasher("sha256").update(text).digest("hex");

/** A store that holds these texts under these paths. */
function storeOf(texts: Record<string, string>, more: Partial<StoreFile> = {}) {
  const known = new StoreFiles();
  for (const [path, text] of Object.entries(texts)) {
    const attributes = { path, path_root: ROOT, sha256: shaOf(text) };
    known.add({ id: `file-${path}`, status: "completed", last_error: null, bytes: text.length, attributes, ...more });
  }
  return known;
}

/** Files that stand in the folder. */
function filesOf(dir: TempDir, texts: Record<string, string>): NamedFile[] {
  return Object.entries(texts).map(([path, text]) => {
    mkdirSync(dirname(dir.join(path)), { recursive: true });
    writeFileSync(dir.join(path), text);
    return { path: dir.join(path), bytes: text.length, name: { root: ROOT, path }, adopted: false };
  });
}

async function plan(known: StoreFiles, files: NamedFile[], gone: string[]) {
  const left = known.all().filter(({ name }) => gone.includes(name.path));
  const made = await planOf({ files, known, left });
  return {
    moves: made.moves.map(({ file, stored }) => `${String(stored.attributes?.["path"])} -> ${file.name.path}`),
    files: made.files.map(({ name }) => name.path),
    left: made.left.map(({ name }) => name.path),
  };
}

test("a file that is new has moved if one that left had its bytes; the others are put in, and taken out", async () => {
  using dir = tempDir();
  const known = storeOf({ "a.md": "ash", "old/b.md": "birch", "old/c.md": "cedar" });
  const files = filesOf(dir, { "a.md": "ash", "new/b.md": "birch", "d.md": "doum!" });
  expect(await plan(known, files, ["old/b.md", "old/c.md"])).toEqual({
    moves: ["old/b.md -> new/b.md"],
    files: ["a.md", "d.md"],
    left: ["old/c.md"],
  });
});

test("of several with the same bytes that of the same name is taken, and each once", async () => {
  using dir = tempDir();
  const known = storeOf({ "old/a.md": "same", "old/b.md": "same" });
  const files = filesOf(dir, { "new/b.md": "same", "new/a.md": "same", "new/c.md": "same" });
  const { moves, files: rest, left } = await plan(known, files, ["old/a.md", "old/b.md"]);
  expect([moves.map((move) => move.split(" -> ").map((path) => basename(path))), rest, left]).toEqual([
    [
      ["b.md", "b.md"],
      ["a.md", "a.md"],
    ],
    ["new/c.md"],
    [],
  ]);
});

test.each<[string, Record<string, string>, Partial<StoreFile>]>([
  ["another ending", { "b.txt": "birch" }, {}],
  ["other bytes", { "b.md": "BIRCH" }, {}],
  ["one that failed", { "b.md": "birch" }, { status: "failed" }],
])("%s is no move", async (_, texts, more) => {
  using dir = tempDir();
  const known = storeOf({ "old/b.md": "birch" }, more);
  expect(await plan(known, filesOf(dir, texts), ["old/b.md"])).toEqual({
    moves: [],
    files: Object.keys(texts),
    left: ["old/b.md"],
  });
});

test("a server that tells no sizes is believed by the bytes alone", async () => {
  using dir = tempDir();
  const known = storeOf({ "old/b.md": "birch" });
  const [file] = known.get({ root: ROOT, path: "old/b.md" });
  const { bytes: _, ...without } = file ?? { id: "", status: "", last_error: null, attributes: null };
  known.replace(without);
  expect((await plan(known, filesOf(dir, { "b.md": "birch" }), ["old/b.md"])).moves).toEqual(["old/b.md -> b.md"]);
});
