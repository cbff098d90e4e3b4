/**
 * Damaged documents through the real parse lane, worker threads and deadline included. FUZZ_SECONDS=600 runs for
 * thousands of files; a failure names the SEED and the FUZZ_FIRST that repeat it. Whatever the bytes: the process
 * lives, every file ends in time as text or with a reason that a person understands, and the memory comes back.
 */
import { join } from "node:path";
import { expect, test } from "bun:test";
import { ROOT } from "../helpers/server.ts";

const SECONDS = Number(process.env["FUZZ_SECONDS"] ?? 10);

test(
  "damaged documents end as text or with a reason, in time, and leave no memory behind",
  async () => {
    const child = Bun.spawn([process.execPath, join(ROOT, "test/fuzz/run.ts")], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const [out, err, status] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
    console.log(out.trim());
    expect([status, err]).toEqual([0, ""]);
    expect(out).toContain("files in");
  },
  (SECONDS + 90) * 1000,
);
