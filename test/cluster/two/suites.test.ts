/**
 * Suites of single servers, as they are, over two servers on one database of which each request goes to the other one than
 * the request before it.
 */
import { join } from "node:path";
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { lacks } from "../../helpers/lacks.ts";
import { ROOT } from "../../helpers/server.ts";
import { hasPostgres } from "../servers/postgres.ts";

setDefaultTimeout(600_000);

const SUITES = [
  "test/api/responses.test.ts",
  "test/api/chat-models.test.ts",
  "test/api/assistants.test.ts",
  "test/api/tenancy.test.ts",
  "test/providers/models-pull.test.ts",
];

describe.skipIf(lacks("PostgreSQL", hasPostgres))("two servers on one database", () => {
  test.each(SUITES)("pass %s", async (file) => {
    const child = Bun.spawn([process.execPath, "test", "--timeout=480000", join(ROOT, file)], {
      cwd: ROOT,
      env: { ...process.env, LECTERN_TEST_SERVERS: "two" },
      stdout: "pipe",
      stderr: "pipe",
    });
    const [out, err, status] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
    expect([status, status === 0 ? "" : `${out}${err}`]).toEqual([0, ""]);
    expect(err).toContain("0 fail");
  });
});
