import { expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { tempDir, type TempDir } from "../../test/helpers/temp-dir.ts";
import { gzip, packTar, sha256, withFolders } from "./archive.ts";
import type { DebianPackage } from "./debian.ts";
import { makeImage } from "./image.ts";
import { targetOf } from "./targets.ts";

/** A package as it lies unpacked. */
function unpacked(dir: TempDir, name: string, files: Record<string, string>): DebianPackage {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(dir.join(name, path)), { recursive: true });
    writeFileSync(dir.join(name, path), text);
  }
  return { name, version: "1", control: `Package: ${name}\nVersion: 1\n`, directory: dir.join(name) };
}

async function made(dir: TempDir): Promise<Uint8Array> {
  const archive = dir.join("lectern.tar.gz");
  const files = { lectern: "the program", NOTICE: "of others", "docs/a.md": "a", "licences/x.txt": "x" };
  const entries = Object.entries(files).map(([name, content]) => ({ name: `lectern-1/${name}`, content }));
  await Bun.write(archive, gzip(packTar(withFolders(entries), 1_700_000_000)));
  const packages = [
    unpacked(dir, "libc6", {
      "lib/x86_64-linux-gnu/libc.so.6": "c",
      "usr/lib/x86_64-linux-gnu/gconv/UTF-16.so": "no",
      "sbin/ldconfig": "no",
      "usr/share/doc/libc6/copyright": "theirs",
    }),
    unpacked(dir, "ca-certificates", { "usr/share/ca-certificates/mozilla/A.crt": "CERTIFICATE\n" }),
  ];
  return await makeImage({ target: targetOf("linux-x64"), archive, packages });
}

test("the image is the same wherever it is made, its digests are those of its blobs, and it has what is wanted only", async () => {
  using dir = tempDir();
  using other = tempDir();
  const image = await made(dir);
  expect(await made(other)).toEqual(image);

  await Bun.write(dir.join("image.tar"), image);
  mkdirSync(dir.join("layout"));
  await Bun.$`tar -xf image.tar -C layout`.cwd(dir.path);
  const blob = (digest: string) => readFileSync(dir.join("layout/blobs", digest.replace(":", "/")));
  const read = (bytes: Uint8Array) => JSON.parse(new TextDecoder().decode(bytes));
  const index = read(readFileSync(dir.join("layout/index.json")));
  const manifest = read(blob(index.manifests[0].digest));
  const config = read(blob(manifest.config.digest));
  for (const { digest, size } of [index.manifests[0], manifest.config, ...manifest.layers])
    expect([digest, size]).toEqual([`sha256:${sha256(blob(digest))}`, blob(digest).byteLength]);
  const layers: Uint8Array[] = manifest.layers.map(({ digest }: { digest: string }) =>
    Bun.gunzipSync(new Uint8Array(blob(digest))),
  );
  expect(config.rootfs.diff_ids).toEqual(layers.map((layer) => `sha256:${sha256(layer)}`));
  expect(config).toMatchObject({ architecture: "amd64", os: "linux", created: "2023-11-14T22:13:20.000Z" });
  expect(read(readFileSync(dir.join("layout/manifest.json")))).toMatchObject([
    { Config: `blobs/${manifest.config.digest.replace(":", "/")}`, RepoTags: [expect.stringMatching(/^lectern:/)] },
  ]);

  const listed = layers.map((layer) => Bun.spawnSync(["tar", "-tf", "-"], { stdin: layer }).stdout.toString());
  const names = listed.join("").trim().split("\n");
  for (const wanted of ["usr/bin/lectern", "lib/x86_64-linux-gnu/libc.so.6", "usr/share/doc/libc6/copyright", "data/"])
    expect(names).toContain(wanted);
  expect(names).toContain("var/lib/dpkg/status.d/libc6");
  expect(names.filter((name) => /gconv|sbin|docs\//.test(name))).toEqual([]);
});
