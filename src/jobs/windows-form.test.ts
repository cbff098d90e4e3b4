/** What holds of stores whose chunks have vectors of their own holds of those whose vectors are of windows, test by test. */
import { afterAll, beforeAll } from "bun:test";
import { form } from "./testing/workshop.ts";

beforeAll(() => void (form.windowTokens = 100));
afterAll(() => void (form.windowTokens = null));

for (const job of ["ingest", "catch-up", "migrate", "rollback", "retire", "purge", "reanalyze", "load-index"])
  await import(`./${job}.test.ts?windows`);
