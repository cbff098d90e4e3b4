/** The turns of tenants over two servers on one database, of which each request goes to the other one than the one before. */
import { describe, setDefaultTimeout, test } from "bun:test";
import { hasPostgres } from "../cluster/servers/postgres.ts";
import { expectPassesOverTwo } from "../cluster/two/over-two.ts";
import { lacks } from "../helpers/lacks.ts";

setDefaultTimeout(600_000);

describe.skipIf(lacks("PostgreSQL", hasPostgres))("two servers on one database", () => {
  test.each(["test/alone/fairness.test.ts", "test/security/fairness.test.ts"])("pass %s", async (file) => {
    await expectPassesOverTwo(file);
  });
});
