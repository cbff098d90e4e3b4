/**
 * The executable for arm64 on another processor, in qemu's emulation: as much as shows that every part of it runs. Its
 * processes are started by the kernel, which is told of the emulator in namespaces of the test's own.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { targetOf } from "../../src/build/targets.ts";
import { version } from "../../src/platform/build-info.ts";
import { lacks } from "../helpers/lacks.ts";
import { ROOT, TEST_DEFAULT_MODEL } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { isBuilt, ownTarget, releaseFile } from "./places.ts";

const QEMU = "qemu-aarch64-static";
/** Where Debian's compiler for arm64 has the libraries of such a system. */
const LIBRARIES = "/usr/aarch64-linux-gnu/lib";

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

  async function lectern(args: readonly string[], env: Record<string, string> = {}) {
    const child = Bun.spawn(
      [
        "unshare",
        "--map-root-user",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
        "sh",
        "-c",
        INSIDE,
        "sh",
      ].concat(Bun.which(QEMU) ?? QEMU, root, args),
      {
        env: {
          PATH: `${process.env["PATH"]}`,
          LECTERN_DEFAULT_MODEL: TEST_DEFAULT_MODEL,
          LECTERN_DATA: "/data",
          ...env,
        },
        stdin: "ignore",
        stdout: "pipe",
        stderr: "pipe",
      },
    );
    const [out, err, status] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
    return { status, out, err };
  }

  test("says what it is and what it can do", async () => {
    expect((await lectern(["version"])).out).toMatch(/^lectern \S+ \(.*linux-arm64\)\n$/);
    expect((await lectern(["help"])).out).toContain("lectern ingest docs --store handbook");
    const doctor = await lectern(["doctor"]);
    expect([doctor.status, doctor.out]).toEqual([0, expect.stringMatching(/^ok +processor +arm64/m)]);
  }, 240_000);

  // What is left takes minutes.
  if (process.env["LECTERN_RELEASE_FULL"] !== "1") return;
  test("serves, reads documents in processes of its own, and finds them by the table of words", async () => {
    // One command: the server runs inside it, with all of its workers.
    const ingest = await lectern(["ingest", "/handbook", "--store", "handbook"]);
    expect([ingest.status, ingest.err, ingest.out]).toEqual([
      0,
      expect.any(String),
      expect.stringContaining("2 indexed"),
    ]);
    const search = await lectern(["search", "handbook", "how long does a refund take", "--limit", "1"]);
    expect([search.status, search.out]).toEqual([0, expect.stringContaining("refunds.md")]);
  }, 600_000);

  test("runs the encoder", async () => {
    const env = { LECTERN_DEFAULT_MODEL: "", LECTERN_DATA: "/data-encoder" };
    const ingest = await lectern(["ingest", "/handbook/refunds.md", "--store", "handbook"], env);
    expect([ingest.status, ingest.err, ingest.out]).toEqual([
      0,
      expect.any(String),
      expect.stringContaining("1 indexed"),
    ]);
    const search = await lectern(["search", "handbook", "wie lange dauert eine Erstattung", "--limit", "1"], env);
    expect([search.status, search.out]).toEqual([0, expect.stringContaining("refunds.md")]);
  }, 900_000);
});
