/**
 * The executable for arm64 on another processor, in qemu's emulation: as much as shows that every part of it runs, up to a
 * search by vectors of the addon's kernels and of ONNX. Its
 * processes are started by the kernel, which is told of the emulator in namespaces of the test's own.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { targetOf } from "../../src/build/targets.ts";
import { version } from "../../src/platform/build-info.ts";
import { json, newStore, search, settled, upload } from "../helpers/api.ts";
import { lacks } from "../helpers/lacks.ts";
import { PRODUCT_DEFAULT, ROOT, startOne, TEST_DEFAULT_MODEL } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { isBuilt, ownTarget, releaseFile } from "./places.ts";

const QEMU = "qemu-aarch64-static";
/** Where Debian's compiler for arm64 has the libraries of such a system. */
const LIBRARIES = "/usr/aarch64-linux-gnu/lib";
/** Of one file, on a machine with much else to do. */
const READ_MS = 600_000;

/** Mounts in namespaces of one's own, and a kernel whose table of foreign executables is per namespace (6.7). */
const MAY_REGISTER =
  Bun.spawnSync([
    "unshare",
    "--map-root-user",
    "--mount",
    "sh",
    "-c",
    "mount -t binfmt_misc none /proc/sys/fs/binfmt_misc && test -e /proc/sys/fs/binfmt_misc/register",
  ]).exitCode === 0;

const arm64 = targetOf("linux-arm64");
/** Where the processor is of this kind itself there is nothing to emulate. */
const EMULATION = "qemu-user-static, g++-aarch64-linux-gnu, another processor than arm64, emulators per namespace";
const MAY_EMULATE =
  MAY_REGISTER &&
  ownTarget() !== arm64 &&
  [QEMU, "aarch64-linux-gnu-g++"].every((program) => Bun.which(program) !== null);

// F: the emulator is opened now, so that it need not be inside. O: it is handed the open file.
const INSIDE = String.raw`
set -e
mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
printf '%s' ':lectern-arm64:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:'"$1"':OCF' > /proc/sys/fs/binfmt_misc/register
root=$2; shift 2
mount -t proc none "$root/proc"
mount --rbind /dev "$root/dev"
exec chroot "$root" /usr/bin/lectern "$@"
`;

describe.skipIf(lacks(EMULATION, MAY_EMULATE))("linux-arm64, emulated", () => {
  const dir = tempDir();
  const root = dir.path;
  beforeAll(async () => {
    if (!isBuilt(arm64)) throw new Error("arm64 was not built: make release-test");
    for (const name of ["dev", "proc", "tmp", "usr/bin", "handbook"]) mkdirSync(join(root, name), { recursive: true });
    await Bun.$`cp -aL ${LIBRARIES} ${join(root, "lib")}`.quiet();
    const inArchive = `lectern-${version}-${arm64.name}/lectern`;
    await Bun.$`tar -xzf ${releaseFile(`${arm64.name}.tar.gz`)} -C ${join(root, "usr/bin")} --strip-components=1 ${inArchive}`;
    copyFileSync(join(ROOT, "docs/examples/handbook/refunds.md"), join(root, "handbook/refunds.md"));
    writeFileSync(join(root, "handbook/prices.csv"), "item,price\nlamp,12\n");
  }, 240_000);
  afterAll(() => dir[Symbol.dispose]());

  const command = ["unshare", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"].concat([
    "sh",
    "-c",
    INSIDE,
    "sh",
    Bun.which(QEMU) ?? QEMU,
    root,
  ]);

  async function lectern(args: readonly string[]) {
    const child = Bun.spawn([...command, ...args], {
      env: {
        PATH: `${process.env["PATH"]}`,
        LECTERN_DEFAULT_MODEL: TEST_DEFAULT_MODEL,
        LECTERN_DATA: "/data",
      },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const [out, err, status] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
    return { status, out, err };
  }

  /** What each way to search finds first in a server that has read these two files. */
  async function found(dataDir: string, env: Record<string, string>, query: string) {
    await using server = await startOne({ command, dataDir, env });
    const store = await newStore(server, { name: "handbook" });
    for (const name of ["refunds.md", "prices.csv"]) {
      const id = await upload(server, name, Bun.file(join(root, "handbook", name)));
      await json(server, "POST", `/v1/vector_stores/${store}/files`, { file_id: id });
      expect((await settled(server, store, id, READ_MS)).status).toBe("completed");
    }
    const names: (string | undefined)[] = [];
    for (const search_mode of ["keyword", "vector", "hybrid"])
      names.push((await search(server, store, { query, search_mode }))[0]?.filename);
    return names;
  }

  test("says what it is and what it can do", async () => {
    expect((await lectern(["version"])).out).toMatch(/^lectern \S+ \(.*linux-arm64\)\n$/);
    expect((await lectern(["help"])).out).toContain("lectern ingest docs --store handbook");
    const doctor = await lectern(["doctor"]);
    expect([doctor.status, doctor.out]).toEqual([0, expect.stringMatching(/^ok +processor +arm64/m)]);
  }, 240_000);

  test("serves, reads documents in processes of its own, and finds them by words and by the table of words", async () => {
    const names = await found("/data", {}, "how long does a refund take");
    expect(names).toEqual(["refunds.md", "refunds.md", "refunds.md"]);
    // The server is gone: the verb opens the data itself.
    const verb = await lectern(["search", "handbook", "how long does a refund take", "--limit", "1"]);
    expect([verb.status, verb.out]).toEqual([0, expect.stringContaining("refunds.md")]);
  }, 900_000);

  test("runs the encoder", async () => {
    const names = await found("/data-encoder", PRODUCT_DEFAULT, "wie lange dauert eine Erstattung");
    expect(names.slice(1)).toEqual(["refunds.md", "refunds.md"]);
  }, 900_000);
});
