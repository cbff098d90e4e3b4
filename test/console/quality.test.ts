/** Judging what is found, measuring it, and looking at what was asked, in a real browser. */
import { expect, test } from "bun:test";
import { API_KEY, place, type Server, serve } from "../e2e/binary.ts";
import { chromium, type Page } from "../e2e/browser.ts";
import { lacks } from "../helpers/lacks.ts";
import { waitFor } from "../helpers/wait.ts";
import { faultsEverywhere, indexed, openConsole } from "./console.ts";

const DOCUMENTS = [
  {
    name: "refunds.md",
    text: "# Refunds\n\nRefunds are paid within fourteen days of the return.",
    attributes: { year: 2026 },
  },
  { name: "volcano.md", text: "The volcano erupted and covered the valley in ash.", attributes: { lang: "en" } },
  { name: "violin.md", text: "A violin has four strings tuned in fifths.", attributes: { lang: "de" } },
  { name: "bread.md", text: "Bread dough rises because yeast makes carbon dioxide.", attributes: { lang: "en" } },
];

interface Judged {
  query: string;
  relevant: { filename: string; chunk_id?: string; grade: number }[];
}

async function judgedIn(server: Server, store: string): Promise<Record<string, string[]>> {
  const answer = await server.request(`/v1/vector_stores/${store}/judgments?limit=100`);
  const { data } = (await answer.json()) as { data: Judged[] };
  return Object.fromEntries(
    data.map(({ query, relevant }) => [
      query,
      relevant.map(
        ({ filename, chunk_id: chunk, grade }) => `${filename} ${grade}${chunk === undefined ? "" : " chunk"}`,
      ),
    ]),
  );
}

const to = async (page: Page, hash: string, text: string) => {
  await page.evaluate(`location.hash = ${JSON.stringify(hash)}`);
  await page.untilText(text);
};

/** Clicks the button that is called so, for the eye or for a screen reader. */
async function press(page: Page, name: string, within = "main"): Promise<void> {
  const find = `[...document.querySelectorAll(${JSON.stringify(`${within} button`)})].find((one) =>
    (one.getAttribute("aria-label") ?? one.textContent).trim() === ${JSON.stringify(name)} && !one.disabled)`;
  await page.until(`a button ${name}`, `${find} !== undefined`);
  await page.evaluate(`${find}.click()`);
}

/** Puts another value into a field, as one who selects all and types. */
async function retype(page: Page, selector: string, text: string): Promise<void> {
  await page.textOf(selector);
  await page.evaluate(`document.querySelector(${JSON.stringify(selector)}).focus()`);
  await page.evaluate(`document.querySelector(${JSON.stringify(selector)}).select()`);
  await page.type(selector, text);
}

test.skipIf(lacks("chromium", chromium !== null))(
  "hits are judged by click and by key, beside what another tab judges, and the right document is looked for",
  async () => {
    using where = place();
    await using server = await serve(where);
    const { store, files } = await indexed(server, "Handbook", DOCUMENTS);
    await using opened = await openConsole(where, server.url, API_KEY);
    const { page } = opened;
    await to(page, `#/stores/${store}/playground`, "Ask something");
    await page.press("/");
    await page.type('input[name="query"]', "volcano ash");
    await page.press("Enter");
    await page.untilText("volcano.md");
    await page.untilText("ms of them in the server");

    await page.press("j");
    await page.press("g");
    await page.until("it is judged", `document.querySelector(".hits li:first-child [aria-pressed=true]") !== null`);
    expect(await page.textOf(".hits li:first-child [aria-pressed=true]")).toContain("Good");
    // Another tab judges the same query: both are kept.
    const other = { merge: true, judgments: [{ query: "volcano ash", relevant: [{ file_id: files[0], grade: 0 }] }] };
    const headers = { "content-type": "application/json" };
    const sent = { method: "POST", headers, body: JSON.stringify(other) };
    expect((await server.request(`/v1/vector_stores/${store}/judgments`, sent)).status).toBe(200);
    await page.press("j");
    await page.press("b");
    await page.until("two are judged", `document.querySelectorAll(".hits [aria-pressed=true]").length >= 2`);
    const judged = (await judgedIn(server, store))["volcano ash"] ?? [];
    expect(judged.slice(0, 2)).toEqual(["volcano.md 1 chunk", "refunds.md 0"]);
    expect(judged[2]).toMatch(/ 0 chunk$/);
    // A change of mind.
    await page.press("k");
    await page.press("b");
    await waitFor("it is judged anew", async () =>
      (await judgedIn(server, store))["volcano ash"]?.[0] === "volcano.md 0 chunk" ? true : undefined,
    );

    await to(page, `#/stores/${store}/playground?q=strings&mode=keyword&n=1`, "violin.md");
    await press(page, "Nothing here is right");
    await page.type('dialog[open] input[name="find-file"]', "BREAD");
    await press(page, "Add bread.md", "dialog");
    await page.untilText("Should have been found: bread.md");
    expect(await faultsEverywhere(page)).toEqual([]);
    await press(page, "Judge", "dialog");
    await page.until("the dialog is closed", `document.querySelector("dialog") === null`);
    expect((await judgedIn(server, store))["strings"]).toEqual(["violin.md 0 chunk", "bread.md 1"]);

    // The filter suggests what files have, whichever file it is.
    await page.evaluate(`document.querySelectorAll("form details")[1].open = true`);
    await press(page, "Add a row");
    await page.until("names are suggested", `document.querySelectorAll("datalist option").length === 2`);
    await page.type("form input[list$=k]", "lang");
    await page.until("values are suggested", `document.querySelectorAll("datalist")[1].children.length === 2`);
    const options = `[...document.querySelectorAll("datalist")].map((one) => [...one.children].map(({ value }) => value))`;
    expect(await page.evaluate<string[][]>(options)).toEqual([
      ["lang", "year"],
      ["en", "de"],
    ]);
    opened.expectClean();
  },
);

test.skipIf(lacks("chromium", chromium !== null))(
  "judged queries are imported, measured, changed and measured again: what got worse is on top",
  async () => {
    using where = place();
    await using server = await serve(where);
    const { store } = await indexed(server, "Handbook", DOCUMENTS);
    await using opened = await openConsole(where, server.url, API_KEY);
    const { page } = opened;
    await to(page, `#/stores/${store}/quality`, "No query is judged yet");
    const lines = [
      '{"query": "when are refunds paid", "relevant": ["refunds.md", "gone.md"]}',
      '{"query": "volcano ash valley", "relevant": [{"filename": "volcano.md", "grade": 2}]}',
      '{"query": "<b>violin</b> strings", "relevant": ["violin.md"]}',
    ];
    const choose = async (text: string) =>
      await page.evaluate(`(() => {
        const given = new DataTransfer();
        given.items.add(new File([${JSON.stringify(text)}], "judged.jsonl"));
        const input = document.querySelector(".judged-file");
        input.files = given.files;
        input.dispatchEvent(new Event("change", { bubbles: true }));
      })()`);
    await choose(`${lines[0]}\nnonsense`);
    await page.untilText("Line 2 is no judged query");
    await choose(lines.join("\n"));
    await page.untilText("3 queries imported. Not in the store, and left out: gone.md");
    await page.untilText("<b>violin</b> strings");
    expect(await judgedIn(server, store)).toEqual({
      "when are refunds paid": ["refunds.md 1"],
      "volcano ash valley": ["volcano.md 2"],
      "<b>violin</b> strings": ["violin.md 1"],
    });

    await press(page, "Run an evaluation");
    await page.untilText("Query by query");
    expect(await page.textOf(".figures tbody tr:first-child")).toMatch(
      /^vectors and keywords1\.0001\.0001\.000[\d.]+ ms/,
    );
    await page.until("each query is there", `document.querySelectorAll(".results > li").length === 3`);
    // A grade is changed, so that the best answer is another one: the query is answered worse than before.
    await press(page, "Edit volcano ash valley");
    await page.type('dialog[open] input[name="find-file"]', "bread");
    await press(page, "Add bread.md", "dialog");
    await retype(page, 'dialog[open] li:last-child input[type="number"]', "20");
    await page.press("Enter");
    await page.until("the dialog is closed", `document.querySelector("dialog") === null`);
    expect((await judgedIn(server, store))["volcano ash valley"]).toEqual(["volcano.md 2", "bread.md 20"]);
    await press(page, "Run an evaluation");
    await page.untilText("worse by");
    expect(await page.textOf(".results > li:first-child summary")).toMatch(/^volcano ash valley.*▲ worse by 0\.\d{3}$/);
    await page.click(".results > li:first-child summary");
    await page.untilText("What was found");
    expect(await page.textOf(".results > li:first-child ol li:first-child")).toMatch(/^volcano\.md ● good$/);

    // Both are in the history, as a plot and as a table; an older one can be looked at.
    expect(await page.evaluate<number>(`document.querySelectorAll(".plot .line0 circle").length`)).toBe(2);
    await page.click(".beside table tbody tr:last-child a");
    await page.until(
      "the first one is shown",
      `document.querySelectorAll(".results > li").length === 3
      && !document.body.innerText.includes("worse by")`,
    );
    expect(await page.evaluate<string>("location.hash")).toContain("eval=eval_");

    // What is exported is what was judged, by names.
    await page.evaluate(`{
      const make = URL.createObjectURL;
      URL.createObjectURL = (blob) => { globalThis.saved = blob; return make.call(URL, blob); };
    }`);
    await press(page, "Export JSON Lines");
    await page.until("it is gathered", "globalThis.saved !== undefined");
    const exported = (await page.evaluate<string>("globalThis.saved.text()")).trim().split("\n");
    expect(exported.map((line) => JSON.parse(line) as unknown)).toEqual([
      { query: "when are refunds paid", relevant: [{ filename: "refunds.md", grade: 1 }] },
      {
        query: "volcano ash valley",
        relevant: [
          { filename: "volcano.md", grade: 2 },
          { filename: "bread.md", grade: 20 },
        ],
      },
      { query: "<b>violin</b> strings", relevant: [{ filename: "violin.md", grade: 1 }] },
    ]);
    expect(await faultsEverywhere(page)).toEqual([]);

    await press(page, "Delete <b>violin</b> strings");
    await press(page, "Delete", "dialog");
    await page.until("it is gone", `!document.querySelector("table:last-of-type").innerText.includes("violin")`);
    expect(Object.keys(await judgedIn(server, store))).toHaveLength(2);
    opened.expectClean();
  },
);

test.skipIf(lacks("chromium", chromium !== null))(
  "the log is filtered, opened as it was and judged; statistics are drawn and told; a reader may not judge",
  async () => {
    using where = place();
    await using server = await serve(where);
    const { store } = await indexed(server, "Handbook", DOCUMENTS);
    const headers = { "content-type": "application/json" };
    const search = async (body: object) => {
      const init = { method: "POST", headers, body: JSON.stringify(body) };
      expect((await server.request(`/v1/vector_stores/${store}/search`, init)).status).toBe(200);
    };
    const filters = { type: "eq", key: "lang", value: "en" };
    await search({ query: "volcano", search_mode: "keyword", max_num_results: 3, filters });
    for (let i = 0; i < 2; i++) await search({ query: "zeppelin", search_mode: "keyword" });
    await search({ query: "yeast & dough" });

    await using opened = await openConsole(where, server.url, API_KEY);
    const { page } = opened;
    await to(page, `#/stores/${store}/queries`, "4 searches, 2 found nothing");
    const rows = `document.querySelectorAll("section[aria-label='Searches made'] tbody tr").length`;
    await page.until("all are listed", `${rows} === 4`);
    expect(await page.textOf(".often li:first-child")).toBe("zeppelin 2×");
    expect(await page.evaluate<number>(`document.querySelectorAll(".plot").length`)).toBe(3);
    const stages = "section[aria-label='Where the time goes'] tbody";
    expect(await page.textOf(`${stages} tr:first-child`)).toMatch(/^the whole search(\d+(\.\d)? ms){3}$/);
    expect(
      await page.evaluate<string[]>(`[...document.querySelectorAll("${stages} th")].map((one) => one.innerText)`),
    ).toEqual([
      ...["the whole search", "vector of the query", "ranking", "ranking by keywords alone", "reading the texts"],
    ]);
    await page.click('input[name="empty"]');
    await page.until("two found nothing", `${rows} === 2`);
    expect(await page.evaluate<string>("location.hash")).toContain("empty=1");
    await page.click('input[name="empty"]');
    await page.type('input[name="text"]', "YEAST");
    await page.until("one is like that", `${rows} === 1`);
    await retype(page, 'input[name="text"]', "volcano");
    await page.until(
      "the other is",
      `document.querySelector("section[aria-label='Searches made'] tbody").innerText.includes("volcano")`,
    );
    expect(await faultsEverywhere(page)).toEqual([]);

    await press(page, "Judge volcano");
    await page.type('dialog[open] input[name="find-file"]', "volc");
    await press(page, "Add volcano.md", "dialog");
    expect(await faultsEverywhere(page)).toEqual([]);
    await press(page, "Save", "dialog");
    await page.until("the dialog is closed", `document.querySelector("dialog") === null`);
    expect(await judgedIn(server, store)).toEqual({ volcano: ["volcano.md 1"] });

    await page.click("section[aria-label='Searches made'] tbody a");
    await page.untilText("1 hit");
    expect(await page.evaluate<string>("decodeURIComponent(location.hash)")).toContain(
      `q=volcano&mode=keyword&n=3&filter=${JSON.stringify(filters)}`,
    );
    expect(await page.textOf(".hits [aria-pressed=true]")).toContain("Good");
    await to(page, `#/stores/${store}/queries?window=30d&since=9999999999`, "No search is like that");
    opened.expectClean();

    const made = await server.request("/v1/admin/keys", {
      method: "POST",
      headers,
      body: JSON.stringify({ name: "reader", role: "read" }),
    });
    const { key } = (await made.json()) as { key: string };
    await page.evaluate("sessionStorage.clear()");
    await page.open("about:blank");
    await page.open(`${server.url}/console/#/stores/${store}/quality`);
    await page.type('input[name="key"]', key);
    await page.click('button[type="submit"]');
    await page.untilText("There is no evaluation yet");
    const buttons = `[...document.querySelectorAll("main button")].map((one) => one.innerText.trim())`;
    expect(await page.evaluate<string[]>(buttons)).toEqual(["Export JSON Lines"]);
    await to(page, `#/stores/${store}/playground?q=volcano&mode=keyword`, "1 hit");
    expect(await page.evaluate<number>(`document.querySelectorAll(".thumbs").length`)).toBe(0);
    opened.expectClean();
  },
);
