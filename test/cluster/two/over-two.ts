import { join } from "node:path";
import { expect } from "bun:test";
import { ROOT } from "../../helpers/server.ts";

/**
 * Runs a suite of single servers, as it is, over two servers on one database of which each request goes to the other one
 * than the request before it (helpers/pair.ts).
 */
export async function expectPassesOverTwo(file: string): Promise<void> {
  const child = Bun.spawn([process.execPath, "test", "--timeout=480000", join(ROOT, file)], {
    cwd: ROOT,
    // The proxy has a connection for each stream; Bun makes 256 at a time unless told otherwise.
    env: { ...process.env, BUN_CONFIG_MAX_HTTP_REQUESTS: "1000", LECTERN_TEST_SERVERS: "two" },
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err, status] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  expect([status, status === 0 ? "" : `${out}${err}`]).toEqual([0, ""]);
  expect(err).toContain("0 fail");
}
