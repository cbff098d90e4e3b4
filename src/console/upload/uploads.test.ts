/** Files that are dropped, and kept from being uploaded again, with the few things of a browser that these need. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { waitFor } from "../../../test/helpers/wait.ts";
import { type Api, ApiError } from "../api.ts";
import { download } from "../download.ts";
import { chosenFiles, droppedFiles } from "./dropped.ts";
import { sha256Of } from "./send.ts";
import { Uploads } from "./uploads.ts";

const before = Object.getOwnPropertyDescriptor(globalThis, "isSecureContext");
const secure = (value: boolean) => Object.defineProperty(globalThis, "isSecureContext", { value, configurable: true });
beforeAll(() => void secure(true));
afterAll(() => {
  if (before === undefined) Reflect.deleteProperty(globalThis, "isSecureContext");
  else Object.defineProperty(globalThis, "isSecureContext", before);
});

const fileEntry = (fullPath: string) => ({
  isFile: true,
  isDirectory: false,
  fullPath,
  file: (done: (file: File) => void) => done(new File(["x"], fullPath.split("/").at(-1) ?? "")),
});
const folderEntry = (fullPath: string, children: readonly object[]) => ({
  isFile: false,
  isDirectory: true,
  fullPath,
  createReader() {
    // Two at a time, as a browser gives a hundred.
    const left = [...children];
    return { readEntries: (done: (some: object[]) => void) => done(left.splice(0, 2)) };
  },
});

test("all files of dropped folders come with their paths, but for what file managers leave", async () => {
  const docs = folderEntry("/docs", [
    fileEntry("/docs/a.txt"),
    fileEntry("/docs/.DS_Store"),
    folderEntry("/docs/sub", [fileEntry("/docs/sub/b.txt"), fileEntry("/docs/sub/Thumbs.db")]),
  ]);
  const items = [docs, fileEntry("/c.md"), null].map((entry) => ({ webkitGetAsEntry: () => entry }));
  const dropped = await droppedFiles({ items, files: [] } as unknown as DataTransfer);
  expect(dropped.map(({ path }) => path).toSorted()).toEqual(["c.md", "docs/a.txt", "docs/sub/b.txt"]);
  const plain = { items: [], files: [new File(["x"], "d.txt")] } as unknown as DataTransfer;
  expect((await droppedFiles(plain)).map(({ path }) => path)).toEqual(["d.txt"]);
});

test("chosen folders come with their paths too", () => {
  const list = [
    Object.assign(new File(["x"], "a.txt"), { webkitRelativePath: "docs/a.txt" }),
    Object.assign(new File(["x"], "b.txt"), { webkitRelativePath: "" }),
    Object.assign(new File(["x"], "x"), { webkitRelativePath: "docs/.git/x" }),
  ];
  expect(chosenFiles(list as unknown as FileList).map(({ path }) => path)).toEqual(["docs/a.txt", "b.txt"]);
});

test("a file's hash is known where the browser computes it", async () => {
  const file = new File(["abc"], "a.txt");
  expect(await sha256Of(file)).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  secure(false);
  expect(await sha256Of(file)).toBeNull();
  secure(true);
});

test("what a store holds unchanged is not uploaded; what it refuses is told, and the list can be cleared", async () => {
  const file = new File(["abc"], "a b.txt");
  const sha256 = (await sha256Of(file)) ?? "";
  const asked: string[] = [];
  const api = {
    get: (path: string) => {
      asked.push(path);
      if (path.includes("vs_2")) throw new ApiError("No such store", { status: 404, code: "", requestId: "" });
      return Promise.resolve({ data: [{ attributes: { sha256, path: "docs/a b.txt" }, status: "completed" }] });
    },
  } as unknown as Api;
  const uploads = new Uploads(api);
  let told = 0;
  const stop = uploads.listen(() => (told += 1));
  uploads.add("vs_1", [{ file, path: "docs/a b.txt" }], {});
  uploads.add("vs_2", [{ file, path: "docs/a b.txt" }], {});
  await waitFor("both are over", () => uploads.queue.open === 0 || undefined);
  stop();
  expect(asked[0]).toBe("vector_stores/vs_1/files?limit=100&filename=a%20b.txt");
  const [kept] = uploads.of("vs_1");
  const [refused] = uploads.of("vs_2");
  expect([kept?.isSkipped, uploads.queue.stateOf(kept?.id ?? 0)?.stage]).toEqual([true, "done"]);
  expect(uploads.queue.stateOf(refused?.id ?? 0)).toMatchObject({ stage: "failed", reason: "No such store" });
  expect([uploads.left, uploads.rate, told > 2]).toEqual([0, null, true]);
  uploads.clear("vs_1");
  expect([uploads.of("vs_1").length, uploads.of("vs_2").length]).toEqual([0, 1]);
});

test("a download is written to the file that the user chose, or not begun", async () => {
  const written: string[] = [];
  let isChosen = true;
  const target = () =>
    new WritableStream<Uint8Array>({ write: (bytes) => void written.push(new TextDecoder().decode(bytes)) });
  const pick = ({ suggestedName }: { suggestedName: string }) => {
    written.push(suggestedName);
    if (!isChosen) return Promise.reject(new DOMException("left", "AbortError"));
    return Promise.resolve({ createWritable: () => Promise.resolve(target()) });
  };
  Object.assign(globalThis, { showSaveFilePicker: pick });
  const asked: string[] = [];
  const stream = (path: string) => {
    asked.push(path);
    return Promise.resolve(new Response("all of it"));
  };
  const sizes: number[] = [];
  const wanted = {
    path: "admin/backup",
    name: "b.tar",
    signal: new AbortController().signal,
    onBytes: (bytes: number) => sizes.push(bytes),
  };
  try {
    expect(await download({ stream } as unknown as Api, wanted)).toBe(true);
    expect([written, sizes.at(-1)]).toEqual([["b.tar", "all of it"], 9]);
    isChosen = false;
    expect(await download({ stream } as unknown as Api, wanted)).toBe(false);
    expect(asked).toEqual(["admin/backup"]);
  } finally {
    Reflect.deleteProperty(globalThis, "showSaveFilePicker");
  }
});
