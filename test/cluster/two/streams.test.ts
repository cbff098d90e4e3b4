/** The suites that count streams, and those of the console in a real browser, over two servers on one database. */
import { describe, setDefaultTimeout, test } from "bun:test";
import { chromium } from "../../e2e/browser.ts";
import { lacks } from "../../helpers/lacks.ts";
import { hasPostgres } from "../servers/postgres.ts";
import { expectPassesOverTwo } from "./over-two.ts";

setDefaultTimeout(600_000);

const IN_A_BROWSER = [
  "test/console/answers.test.ts",
  "test/console/keys.test.ts",
  "test/console/migration.test.ts",
  "test/console/uploads.test.ts",
];

describe.skipIf(lacks("PostgreSQL", hasPostgres))("two servers on one database", () => {
  test("pass test/security/streams.test.ts", async () => await expectPassesOverTwo("test/security/streams.test.ts"));

  test.skipIf(lacks("chromium", chromium !== null)).each(IN_A_BROWSER)("pass %s", async (file) => {
    await expectPassesOverTwo(file);
  });
});
