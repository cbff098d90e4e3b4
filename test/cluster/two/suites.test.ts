/**
 * Suites of single servers, as they are, over two servers on one database of which each request goes to the other one than
 * the request before it.
 */
import { describe, setDefaultTimeout, test } from "bun:test";
import { lacks } from "../../helpers/lacks.ts";
import { hasPostgres } from "../servers/postgres.ts";
import { expectPassesOverTwo } from "./over-two.ts";

setDefaultTimeout(600_000);

const SUITES = [
  "test/api/responses.test.ts",
  "test/api/chat-models.test.ts",
  "test/api/assistants.test.ts",
  "test/api/tenancy.test.ts",
  "test/providers/models-pull.test.ts",
];

describe.skipIf(lacks("PostgreSQL", hasPostgres))("two servers on one database", () => {
  test.each(SUITES)("pass %s", async (file) => await expectPassesOverTwo(file));
});
