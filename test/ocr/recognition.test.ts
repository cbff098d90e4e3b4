/** How well scans are read by the engine inside the program, page by page; `make ocr-eval` prints the same as a table. */
import { afterAll, expect, test } from "bun:test";
import { bundledEngine, readPage } from "./engines.ts";
import { trialPages } from "./pages.ts";

const engine = bundledEngine();
afterAll(async () => await engine[Symbol.asyncDispose]());

for (const page of trialPages()) {
  test(`reads ${page.name}: at most ${page.bound * 100} % of the words are wrong`, async () => {
    const { errors, text } = await readPage(engine, page);
    if (errors > page.bound) console.log(text);
    expect(errors).toBeLessThanOrEqual(page.bound);
  }, 240_000);
}
