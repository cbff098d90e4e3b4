/**
 * A store of many files in the console: its list is scrolled to the end, and only what is seen is in the page.
 * LECTERN_TEST_ROWS sets how many there are: 3,000 unless set, 100,000 for the number that is promised.
 */
import { Database } from "bun:sqlite";
import { join } from "node:path";
import { expect, test } from "bun:test";
import { API_KEY, place, serve } from "../e2e/binary.ts";
import { chromium } from "../e2e/browser.ts";
import { lacks } from "../helpers/lacks.ts";
import { indexed, openConsole } from "./console.ts";

const ROWS = Number(process.env["LECTERN_TEST_ROWS"] ?? 3000);
const IS_FULL = ROWS >= 100_000;
const QUICK = ["--default-model", "lectern-embed-en"];
/** Rows that may be in the page at once, however long the list is. */
const MOST_ROWS = 80;
/** What a row that is not seen may take of the page's memory. */
const MOST_ROW_BYTES = 4096;
/** Of a hundred pictures, while it is scrolled, how long after the one before all but one come. */
const MOST_FRAME_MS = 500;

/** So many more rows like the file that a store has, put where the server keeps them. */
function multiply(database: string, rows: number): void {
  using db = new Database(database);
  const copy = (table: string, changed: Record<string, string>) => {
    const names = db.query<{ name: string }, []>(`SELECT name FROM pragma_table_info('${table}')`).all();
    const columns = names.map(({ name }) => name).filter((name) => name !== "seq");
    const values = columns.map((name) => changed[name] ?? `o.${name}`);
    db.run(
      `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows})
       INSERT INTO ${table} (${columns.join(", ")})
       SELECT ${values.join(", ")} FROM n, (SELECT * FROM ${table} LIMIT 1) o`,
    );
  };
  const id = "printf('file-%024d', i)";
  const filename = "printf('report %06d.txt', i)";
  db.run("BEGIN");
  copy("file", { id, filename });
  copy("store_file", { file_id: id, filename, n_chunks: "0", n_vectors: "0", usage_bytes: "0" });
  db.run("COMMIT");
}

/** Scrolls to the end again and again until all is loaded; how long each picture was waited for. */
const SCROLL = `(async () => {
  const scroller = document.querySelector(".scroller");
  const waits = [];
  let [most, last] = [0, performance.now()];
  const loaded = () => Number(/([\\d,.]+) of/.exec(scroller.nextElementSibling.textContent)?.[1].replace(/\\D/g, ""));
  while (loaded() < WANTED) {
    scroller.scrollTop = scroller.scrollHeight;
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    waits.push(now - last);
    last = now;
    most = Math.max(most, document.querySelectorAll("tr.fixed").length);
  }
  waits.sort((a, b) => a - b);
  const waited = (share) => waits[Math.floor((waits.length - 1) * share)];
  return { half: waited(0.5), p99: waited(0.99), longest: waited(1), most, loaded: loaded() };
})()`;

/** Rows in the page two pictures after one file alone was found. */
const SHOWN = `(async () => {
  const isAlone = () => document.querySelector(".scroller")?.nextElementSibling.textContent.startsWith("1 of");
  while (!isAlone()) await new Promise(requestAnimationFrame);
  for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame);
  return document.querySelectorAll("tr.fixed").length;
})()`;

interface Scrolled {
  half: number;
  p99: number;
  longest: number;
  most: number;
  loaded: number;
}

const HEAP = "performance.memory.usedJSHeapSize";

test.skipIf(lacks("chromium", chromium !== null))(
  `a list of ${ROWS} files is scrolled to its end, and one of them is found`,
  async () => {
    using where = place();
    let store: string;
    {
      await using server = await serve(where, { args: QUICK });
      ({ store } = await indexed(server, "Archive", [{ name: "first.txt", text: "The first of many." }]));
    }
    multiply(join(where.data, "meta.sqlite"), ROWS - 1);
    await using server = await serve(where, { args: QUICK });
    await using opened = await openConsole(where, server.url, API_KEY);
    const { page } = opened;
    await page.evaluate(`location.hash = "#/stores/${store}/files"`);
    await page.untilText("report 0");
    const before = await page.evaluate<number>(HEAP);
    const scrolled = await page.evaluate<Scrolled>(SCROLL.replace("WANTED", String(ROWS)));
    const perRow = ((await page.evaluate<number>(HEAP)) - before) / ROWS;
    console.log(
      `${ROWS} rows: ${scrolled.most} in the page at most, ${Math.round(perRow)} bytes of memory each, ` +
        `${Math.round(scrolled.half)} ms between two pictures (99 %: ${Math.round(scrolled.p99)}, most: ${Math.round(scrolled.longest)})`,
    );
    expect(scrolled.loaded).toBe(ROWS);
    expect(scrolled.most).toBeLessThan(MOST_ROWS);
    expect(perRow).toBeLessThan(MOST_ROW_BYTES);
    if (IS_FULL) expect(scrolled.p99).toBeLessThan(MOST_FRAME_MS);
    const wanted = `report ${String(ROWS - 7).padStart(6, "0")}`;
    await page.type('input[type="search"]', wanted);
    // At once, although the list was scrolled far beyond its new end.
    expect(await page.evaluate<number>(SHOWN)).toBe(1);
    expect(await page.textOf("tr.fixed th")).toBe(`${wanted}.txt`);
    opened.expectClean();
  },
  IS_FULL ? 1_200_000 : 240_000,
);
