import { describe, expect, test } from "bun:test";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { tempDir, type TempDir } from "../../../test/helpers/temp-dir.ts";
import { directoryModelFiles } from "./model-files.ts";

/** Files with their names as content; what follows an arrow is where a link leads. */
function lay(dir: TempDir, ...names: string[]): void {
  for (const line of names) {
    const [name = "", target] = line.split(" -> ");
    mkdirSync(dirname(dir.join(name)), { recursive: true });
    if (target === undefined) writeFileSync(dir.join(name), name);
    else symlinkSync(target.replace("ROOT", dir.path), dir.join(name));
  }
}

test("links to files of the folder itself, and to the blobs of a hub's cache, are followed", async () => {
  using dir = tempDir();
  const snapshot = "hub/models--a--b/snapshots/0123abcd";
  lay(dir, "hub/models--a--b/blobs/aa", "hub/models--a--b/blobs/bb");
  lay(dir, `${snapshot}/config.json -> ../../blobs/aa`, `${snapshot}/onnx/model.onnx -> ../../../blobs/bb`);
  lay(dir, `${snapshot}/model.onnx -> onnx/model.onnx`, `${snapshot}/README.md`, `link -> ${snapshot}`);
  for (const folder of [snapshot, "link"]) {
    const files = directoryModelFiles(dir.join(folder));
    expect(files.names).toEqual(["README.md", "config.json", "model.onnx", "onnx/model.onnx"]);
    expect(new TextDecoder().decode(await files.bytes("model.onnx"))).toBe("hub/models--a--b/blobs/bb");
  }
});

const LEADS_ELSEWHERE: [string, string[], string][] = [
  ["out of the folder", ["m/model.onnx_data -> ../secret"], "the link model.onnx_data leads out of the folder, to"],
  ["to an absolute name", ["m/model.onnx -> ROOT/secret"], "the link model.onnx leads out of the folder"],
  ["out of a folder within", ["m/onnx/model.onnx -> ../../secret"], "the link onnx/model.onnx leads out of the folder"],
  ["out by way of another link", ["m/a -> b", "m/b -> ../secret"], "leads out of the folder"],
  ["to a folder whose name begins as this one's", ["mm/x", "m/a -> ../mm/x"], "leads out of the folder"],
  ["to blobs of no cache", ["blobs/x", "m/a -> ../blobs/x"], "leads out of the folder"],
  ["to a folder", ["m/onnx/x", "m/a -> onnx"], "the link a does not lead to a file"],
  ["to the folder itself", ["m/a -> ."], "leads out of the folder"],
  ["to a device", ["m/a -> /dev/zero"], "leads out of the folder"],
  ["nowhere", ["m/a -> b"], "the link a leads nowhere"],
];

describe("a folder is refused with a link", () => {
  for (const [name, files, problem] of LEADS_ELSEWHERE) {
    test(name, () => {
      using dir = tempDir();
      lay(dir, "secret", "m/config.json", ...files);
      expect(() => directoryModelFiles(dir.join("m"))).toThrow(problem);
    });
  }

  test("from one cached model to another's blobs", () => {
    using dir = tempDir();
    lay(dir, "hub/other/blobs/aa", "hub/a/snapshots/1/model.onnx -> ../../../other/blobs/aa");
    expect(() => directoryModelFiles(dir.join("hub/a/snapshots/1"))).toThrow("leads out of the folder");
  });
});
