/** Names, attributes and documents that try to be more than text. */
import { expect, test } from "bun:test";
import { API_KEY, place, serve } from "../e2e/binary.ts";
import { chromium } from "../e2e/browser.ts";
import { lacks } from "../helpers/lacks.ts";
import { indexed, openConsole } from "./console.ts";

const HTML = '<img src=x onerror="document.title=1"><script>document.title=2</script>';
/** Before the passage stand characters of two code units, and some that turn the direction. */
const BEFORE = `${"😀👩‍👩‍👧 ".repeat(50)}\u202Eturned\u202C\u0007 ${HTML}\n\n`;
const PASSAGE = "The zebra 🦓 crossing is repainted every second spring.";

test.skipIf(lacks("chromium", chromium !== null))("stay text, and marks stand where they should", async () => {
  using where = place();
  await using server = await serve(where);
  const { store, files } = await indexed(server, `Store \u202E${HTML}`, [
    {
      name: `b ${HTML}.txt`.replaceAll("/", "_"),
      text: `# ${HTML}\n\n${BEFORE}${PASSAGE}\n\nAfter it.`,
      attributes: { note: HTML, link: "javascript:document.title=3", site: "https://example.com/a", "<b>": "\u202Ex" },
    },
    { name: "endless.txt", text: "x".repeat(1_000_000) },
  ]);
  await using opened = await openConsole(where, server.url, API_KEY);
  const { page } = opened;
  await page.untilText("Store ‹U+202E›<img src=x");
  await page.click(`a[href*="${store}"]`);
  await page.untilText("b <img src=x onerror");

  await page.click('a[href$="/playground"]');
  await page.type('input[name="query"]', "zebra crossing repainted");
  await page.click('form[role="search"] button[type="submit"]');
  expect(await page.textOf(".hits li:first-child .passage mark")).toBe("zebra");

  const content = (await (await server.request(`/v1/vector_stores/${store}/files/${files[0]}/content`)).json()) as {
    data: { text: string }[];
  };
  const text = content.data.map((part) => part.text).join("");
  const start = [...text.slice(0, text.indexOf(PASSAGE))].length;
  const end = start + [...PASSAGE].length;
  await page.evaluate(`location.hash = "#/stores/${store}/files/${files[0]}?start=${start}&end=${end}"`);
  expect(await page.textOf(".text mark")).toBe(PASSAGE);
  expect(await page.evaluate<number>("document.querySelectorAll('.text mark').length")).toBe(1);
  expect(await page.textOf(".text")).toContain(HTML);
  expect(await page.textOf(".attributes")).toContain("‹U+202E›x");
  const links = await page.evaluate<string[]>(
    "[...document.querySelectorAll('.attributes a')].map((a) => a.href + ' ' + a.rel + ' ' + a.target)",
  );
  expect(links).toEqual(["https://example.com/a noopener noreferrer _blank"]);
  expect(await page.evaluate<number>("document.querySelectorAll('main img, main script').length")).toBe(0);

  await page.evaluate(`location.hash = "#/stores/${store}/files/${files[1]}"`);
  await page.untilText("Characters 1 to 200,000 of 1,000,000");
  expect(await page.evaluate<boolean>("document.documentElement.scrollWidth <= innerWidth")).toBe(true);
  expect(await page.evaluate<string>("document.title")).toMatch(/^Store ‹U\+202E›<img src=x/);
  opened.expectClean();
});
