/** A quota that is really used up, on a file system that has them (btrfs, in a file): the system says EDQUOT by itself. */
import { expect, setDefaultTimeout, test } from "bun:test";
import { closeSync, openSync, rmSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { addText, newStore, refusal, search } from "../helpers/api.ts";
import { lacks } from "../helpers/lacks.ts";
import { startServer } from "../helpers/server.ts";
import { type TempDir, tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait.ts";

setDefaultTimeout(240_000);
const MB = 1024 * 1024;
const DISK_MB = 1500;
const QUOTA_MB = 300;
const PIECE = new Uint8Array(64 * 1024);

const does = (...cmd: string[]) => Bun.spawnSync(cmd, { stdout: "ignore", stderr: "ignore" }).success;

interface Quota extends Disposable {
  /** A folder that takes QUOTA_MB. */
  path: string;
}

/** Null where that is not allowed, or not known here. */
function mountWithQuota(dir: TempDir): Quota | null {
  if (process.platform !== "linux" || process.getuid?.() !== 0 || Bun.which("mkfs.btrfs") === null) return null;
  const [image, mounted] = [dir.join("image"), dir.join("disk")];
  writeFileSync(image, "");
  truncateSync(image, DISK_MB * MB);
  const path = join(mounted, "limited");
  const isMade =
    does("mkfs.btrfs", "-q", image) &&
    does("mkdir", mounted) &&
    does("mount", "-t", "btrfs", "-o", "loop", image, mounted);
  if (!isMade) return null;
  const quota: Quota = { path, [Symbol.dispose]: () => void does("umount", "-l", mounted) };
  const isLimited =
    does("btrfs", "quota", "enable", mounted) &&
    does("btrfs", "subvolume", "create", path) &&
    does("btrfs", "qgroup", "limit", `${QUOTA_MB}M`, path);
  if (isLimited) return quota;
  quota[Symbol.dispose]();
  return null;
}

const isPossible = (() => {
  using dir = tempDir();
  using quota = mountWithQuota(dir);
  return quota !== null;
})();

/** Until the system takes no more; what it says. */
function fill(path: string): string {
  const file = openSync(path, "a");
  try {
    for (;;) writeSync(file, PIECE);
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : "";
  } finally {
    closeSync(file);
  }
}

const newFile = (): FormData => {
  const form = new FormData();
  form.set("purpose", "assistants");
  form.set("file", new Blob(["Some text. ".repeat(20_000)]), "a.txt");
  return form;
};

test.skipIf(lacks("quotas (btrfs, mount as root)", isPossible))(
  "over its quota a server answers 507 to what needs space, and goes on when there is room again",
  async () => {
    using dir = tempDir();
    using quota = mountWithQuota(dir);
    const dataDir = join(quota?.path ?? "", "data");
    await using server = await startServer({ dataDir, args: ["--log-level", "info"] });
    const store = await newStore(server);
    const file = await addText(server, store, "refunds.txt", "Refunds are paid within fourteen days.");
    const hoard = join(quota?.path ?? "", "hoard");
    expect(fill(hoard)).toBe("EDQUOT");
    // A page that the database's log still has room for is written; then no more.
    const statuses = new Set<number>();
    await waitFor("stores are refused", async () => {
      fill(hoard);
      const response = await server.fetch("/v1/vector_stores", { method: "POST", body: "{}" });
      await response.text();
      statuses.add(response.status);
      return response.ok ? undefined : true;
    });
    expect([...statuses].filter((status) => status !== 200)).toEqual([507]);
    const { status, code } = await refusal(server, "POST", "/v1/files", newFile());
    expect([status, code]).toEqual([507, "insufficient_storage"]);
    expect(
      (await search(server, store, { query: "refunds", search_mode: "keyword" })).map((hit) => hit.file_id),
    ).toEqual([file]);
    expect((await server.fetch("/readyz")).status).toBe(200);
    expect(server.log()).not.toContain("internal_error");
    rmSync(hoard);
    await waitFor("there is room again", async () => {
      const response = await server.fetch("/v1/files", { method: "POST", body: newFile() });
      await response.text();
      return response.ok ? true : undefined;
    });
    await addText(server, store, "more.txt", "More of it.");
  },
);
