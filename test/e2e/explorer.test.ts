/** The API explorer in a real browser, from the binary, with nothing but the server to load from. */
import { expect, test } from "bun:test";
import { API_KEY, place, serve } from "./binary.ts";
import { chromium, openPage } from "./browser.ts";
import { lacks } from "../helpers/lacks.ts";
import { waitFor } from "../helpers/wait.ts";

test("the page names no other host, and its policy would not let it", async () => {
  using where = place();
  await using server = await serve(where);
  const page = await fetch(`${server.url}/docs`);
  const html = await page.text();
  expect(
    [...html.matchAll(/\b(?:src|href)="([^"]*)"/g)]
      .map((match) => match[1])
      .filter((url) => /^(https?:)?\/\//.test(url ?? "")),
  ).toEqual([]);
  expect(page.headers.get("content-security-policy")).toMatch(/^default-src '(none|self)';/);
  expect(page.headers.get("content-security-policy")).not.toMatch(/https?:|\*/);
});

test.skipIf(lacks("chromium", chromium !== null))(
  "in a browser a store is made with the key entered, and no request fails",
  async () => {
    using where = place();
    await using server = await serve(where);
    await using page = await openPage(where);
    await page.open(`${server.url}/docs`);
    // Of so many operations the page has only those in its document that are in sight.
    const scrollTo = async (selector: string) => {
      await page.textOf("[data-path]");
      await page.evaluate("scrollTo(0, 0)");
      await waitFor(selector, async () => {
        if (await page.evaluate<boolean>(`document.querySelector(${JSON.stringify(selector)}) !== null`)) return true;
        await page.evaluate("scrollBy(0, innerHeight / 2)");
        return undefined;
      });
    };
    for (const path of ["/v1/files", "/v1/vector_stores/{vector_store_id}/search", "/v1/embeddings"])
      await scrollTo(`[data-path="${path}"]`);
    await page.open(`${server.url}/docs?first`);

    // Twice, with the page loaded anew in between: a browser does not keep the key, so it is entered again.
    for (const stores of [1, 2]) {
      await page.click(".btn.authorize");
      await page.type(".modal-ux .auth-container input", API_KEY);
      await page.click(".modal-ux .auth-btn-wrapper button[type=submit]");
      await page.click(".modal-ux .auth-btn-wrapper .btn-done");
      const create = '.opblock-post:has([data-path="/v1/vector_stores"])';
      await scrollTo(create);
      await page.click(`${create} .opblock-summary-control`);
      await page.click(`${create} .try-out__btn`);
      await page.click(`${create} .execute`);
      expect(await page.textOf(`${create} .live-responses-table tbody .response-col_status`)).toStartWith("200");
      const listed = (await (await server.request("/v1/vector_stores")).json()) as { data: { object: string }[] };
      expect(listed.data.map(({ object }) => object)).toEqual(Array(stores).fill("vector_store"));
      if (stores === 1) await page.open(`${server.url}/docs?again`);
    }

    expect(page.failures()).toEqual([]);
    const elsewhere = page.requests().filter((url) => !url.startsWith(server.url) && !/^(data|blob|about):/.test(url));
    expect(elsewhere).toEqual([]);
  },
);
