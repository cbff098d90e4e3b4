/** Another model by clicks: what it costs, the report, live and back; and a gate that is missed. */
import { expect, test } from "bun:test";
import { API_KEY, place, type Server, serve } from "../e2e/binary.ts";
import { chromium, type Page } from "../e2e/browser.ts";
import { FAKE_HOST, FAKE_KEY, startFakeProvider } from "../conformance/fake-providers.ts";
import { lacks } from "../helpers/lacks.ts";
import { makeText } from "../migrate/corpus.ts";
import { faultsEverywhere, indexed, openConsole } from "./console.ts";

/** A model that is quick, and whose vectors can be shortened. */
const WORDS_MODEL = { LECTERN_DEFAULT_MODEL: "lectern-embed-en" };
/** More chunks than the ten that are compared. */
const DOCUMENTS = Array.from({ length: 6 }, (_, i) => ({ name: `topic-${i}.txt`, text: makeText(i + 1, 30) }));

/** Clicks the button of the page, or of the open dialog, that says this. */
async function press(page: Page, word: string): Promise<void> {
  const find = `[...(document.querySelector("dialog") ?? document).querySelectorAll("button")]
    .find((one) => one.innerText.trim() === ${JSON.stringify(word)} && !one.disabled)`;
  await page.until(`there is a button "${word}"`, `${find} !== undefined`);
  await page.evaluate(`${find}.click()`);
}

/** Sets a field as a hand does. */
async function set(page: Page, selector: string, value: string): Promise<void> {
  await page.textOf(selector);
  await page.evaluate(`(() => {
    const field = document.querySelector(${JSON.stringify(selector)});
    const kind = field instanceof HTMLSelectElement ? HTMLSelectElement : HTMLInputElement;
    Object.getOwnPropertyDescriptor(kind.prototype, "value").set.call(field, ${JSON.stringify(value)});
    for (const type of ["input", "change"]) field.dispatchEvent(new Event(type, { bubbles: true }));
  })()`);
}

/** From the store's page to a migration of the bundled model's shorter vectors. */
async function startMigration(page: Page, dimensions: string, overlap: string): Promise<void> {
  await press(page, "Change model or chunking");
  await page.untilText("That is what runs now");
  await set(page, 'input[name="dimensions"]', dimensions);
  await press(page, "What will it cost?");
  await page.untilText("Estimated from 8 chunks");
  await page.untilText("nothing: it runs here");
  await press(page, "Set the gate");
  await set(page, 'input[name="overlap"]', overlap);
  await press(page, "Start");
}

interface Sides {
  summary: string;
  left: string[];
  right: string[];
  lines: number;
  moved: number;
}

/** The live index and the candidate, beside one another in the playground, and two settings after that. */
async function sideBySide(page: Page, store: string): Promise<void> {
  const look = () =>
    page.evaluate<Sides>(`(() => {
      const items = (side) => [...document.querySelectorAll('[data-side="' + side + '"] li')].map((one) => one.innerText);
      return {
        summary: document.querySelector('main [role="status"]').innerText,
        left: items("left"),
        right: items("right"),
        lines: document.querySelectorAll(".lines path").length,
        moved: document.querySelectorAll(".lines path.moved").length,
      };
    })()`);
  await page.click('.row a[href*="compare=mig_"]');
  await page.type('input[name="query"]', "which river carries water and steel");
  await page.click('form[role="search"] button[type="submit"]');
  await page.until("hits are joined", `document.querySelectorAll(".lines path").length > 0`);
  const { summary, left, right, lines, moved } = await look();
  const [same = 0, movedTo = 0, lost = 0, isNew = 0] = (summary.match(/\d+/g) ?? []).map(Number);
  expect([left.length, right.length]).toEqual([10, 10]);
  expect([same + movedTo + lost, same + movedTo + isNew]).toEqual([10, 10]);
  expect([lines, moved]).toEqual([same + movedTo, movedTo]);
  const saying = (of: string[], word: RegExp) => of.filter((text) => word.test(text)).length;
  expect([saying(left, /lost/), saying(right, /new/)]).toEqual([lost, isNew]);
  expect([saying(left, /now \d/), saying(right, /▲ up|▼ down/)]).toEqual([movedTo, movedTo]);
  // By keyboard: down, to the other side, and into the document.
  for (const key of ["j", "j", "l"]) await page.press(key);
  expect(await page.evaluate<boolean>(`document.activeElement.closest('[data-side="right"]') !== null`)).toBe(true);
  await page.press("Enter");
  await page.textOf(".text mark");

  const settings = "q=river&mode=vector&compare=settings&right.mode=keyword&right.n=3";
  await page.evaluate(`location.hash = "#/stores/${store}/playground?${settings}"`);
  await page.untilText("Right: 3 hits");
  await page.untilText("Left: 10 hits");
}

const generationOf = async (server: Server, store: string) =>
  ((await (await server.request(`/v1/vector_stores/${store}`)).json()) as { index: { generation: number } }).index
    .generation;

test.skipIf(lacks("chromium", chromium !== null))(
  "a migration by clicks: what it costs, its report, live, and back",
  async () => {
    using where = place();
    await using server = await serve(where, { env: WORDS_MODEL });
    const { store } = await indexed(server, "Handbook", DOCUMENTS);
    await using opened = await openConsole(where, server.url, API_KEY);
    const { page } = opened;
    await page.click(`a[href*="${store}"]`);
    await page.click('a[href$="/model"]');
    await page.untilText("lectern-embed-en");
    await page.untilText("800 tokens, 400 of them shared");
    await page.untilText("from its beginning");

    await startMigration(page, "64", "0.1");
    await page.untilText("ready, waiting for your decision");
    expect(await page.evaluate<string>("location.hash")).toBe(`#/stores/${store}/model`);
    await page.untilText("The gate is passed.");
    expect(await page.textOf(".measures")).toMatch(/Same results.*%/);
    // Nothing is live before somebody says so.
    expect(await generationOf(server, store)).toBe(1);
    // Both lists of a query that changed.
    await page.click(".change summary");
    expect(await page.textOf(".change .sides")).toMatch(/Before.*topic-\d\.txt.*After.*topic-\d\.txt/s);

    await sideBySide(page, store);
    await page.evaluate(`location.hash = "#/stores/${store}/model"`);
    await press(page, "Go live");
    await page.untilText("Searches are answered by the new index from then on");
    await press(page, "Go live");
    await page.untilText("Live since");
    expect(await generationOf(server, store)).toBe(2);
    expect(await page.textOf("dl.attributes")).toContain("Dimensions64");
    await press(page, "Show the report");
    await page.untilText("The gate is passed.");
    expect(await page.evaluate<string>("location.hash")).toMatch(/\?report=mig_\w+$/);

    await press(page, "Roll back");
    await page.untilText("rolled back");
    await page.until("the old index runs", `document.querySelector("dl.attributes").innerText.includes("256")`);
    expect(await generationOf(server, store)).toBe(1);
    // The old report stays.
    await page.untilText("The gate is passed.");
    opened.expectClean();
  },
);

test.skipIf(lacks("chromium", chromium !== null))(
  "a missed gate says why, and the new index goes live or away only when somebody decides",
  async () => {
    using where = place();
    await using server = await serve(where, { env: WORDS_MODEL });
    const { store } = await indexed(server, "Handbook", DOCUMENTS);
    await using opened = await openConsole(where, server.url, API_KEY);
    const { page } = opened;
    await page.evaluate(`location.hash = "#/stores/${store}/model"`);
    await page.untilText("What runs");
    await startMigration(page, "16", "1");
    await page.untilText("The gate is missed.");
    await page.untilText("the gate asks for 1.");
    await page.untilText("Go live although the gate is missed");
    await press(page, "Discard");
    await page.untilText("What was built is thrown away");
    await press(page, "Discard");
    await page.untilText("cancelled");
    expect(await generationOf(server, store)).toBe(1);
    // The report of one that was discarded stays too.
    await press(page, "Show the report");
    await page.untilText("The gate is missed.");

    // A key that reads sees what runs and what was, and no way to change it.
    const init = { method: "POST", headers: { "content-type": "application/json" } };
    const body = JSON.stringify({ name: "reader", role: "read" });
    const reader = (await (await server.request("/v1/admin/keys", { ...init, body })).json()) as { key: string };
    await page.evaluate("sessionStorage.clear()");
    await page.open("about:blank");
    await page.open(`${server.url}/console/#/stores/${store}/model?step=choose`);
    await page.type('input[name="key"]', reader.key);
    await page.click('button[type="submit"]');
    await page.untilText("What runs");
    const buttons = await page.evaluate<string[]>(
      "[...document.querySelectorAll('main button')].map((one) => one.innerText.trim())",
    );
    expect(buttons).toEqual(["Show the report"]);
    opened.expectClean();
  },
);

test.skipIf(lacks("chromium", chromium !== null))(
  "a model at a provider that is away: what is not known is said, why it waits, and the way out",
  async () => {
    using where = place();
    await using fake = await startFakeProvider("openai", 1536);
    fake.always = "server-error";
    await using server = await serve(where, {
      env: {
        LECTERN_OPENAI_API_KEY: FAKE_KEY,
        LECTERN_OPENAI_ADDRESS: fake.address.replace(FAKE_HOST, "127.0.0.1"),
        LECTERN_ALLOW_PRIVATE_ADDRESSES: "1",
        LECTERN_PROVIDER_ATTEMPTS: "1",
        LECTERN_PROVIDER_TIMEOUT: "1",
        ...WORDS_MODEL,
      },
    });
    const { store } = await indexed(server, "Handbook", DOCUMENTS.slice(0, 1));
    await using opened = await openConsole(where, server.url, API_KEY);
    const { page } = opened;
    await page.evaluate(`location.hash = "#/stores/${store}/model"`);
    await press(page, "Change model or chunking");
    await set(page, ".wizard select", "text-embedding-3-small");
    await page.untilText("The texts of this store are sent to that provider");
    await press(page, "What will it cost?");
    await page.untilText("cannot be told: the model did not answer");
    await page.untilText("less than $0.01");
    await press(page, "Set the gate");
    await press(page, "Start");
    await page.untilText("paused, goes on by itself");
    await page.untilText("Why it is paused: The model 'text-embedding-3-small' does not answer");
    await press(page, "Cancel the migration");
    await page.untilText("The store goes on as it is");
    await press(page, "Cancel the migration");
    await press(page, "Show the report");
    await page.untilText("There is no report");
    opened.expectClean();
  },
);

test.skipIf(lacks("chromium", chromium !== null))(
  "every page on the way passes axe in both colours, wide and narrow",
  async () => {
    using where = place();
    await using server = await serve(where, { env: WORDS_MODEL });
    const { store } = await indexed(server, "Handbook", DOCUMENTS);
    await using opened = await openConsole(where, server.url, API_KEY);
    const { page } = opened;
    const faults: Record<string, string[]> = {};
    const look = async (name: string, hash: string, text: string) => {
      await page.evaluate(`location.hash = ${JSON.stringify(hash)}`);
      await page.untilText(text);
      faults[name] = await faultsEverywhere(page);
    };
    const at = `#/stores/${store}/model`;
    const wanted = "model=lectern-embed-en&dimensions=32&size=200&overlap=50";
    await look("model", at, "from its beginning");
    await look("choose", `${at}?step=choose&${wanted}`, "Tokens of a chunk");
    await look("cost", `${at}?step=cost&${wanted}`, "Estimated from");
    await look("gate", `${at}?step=gate&${wanted}`, "At least 50 %");
    await press(page, "Start");
    await page.untilText("Queries that changed most");
    await page.click(".change summary");
    await page.until("one is open", `document.querySelector(".change[open] .sides") !== null`);
    faults["report"] = await faultsEverywhere(page);
    const compared = await page.evaluate<string>(`document.querySelector('.row a[href*="compare=mig_"]').hash`);
    await look("side by side", `${compared}&q=river`, "in the same place");
    expect(Object.fromEntries(Object.entries(faults).filter(([, found]) => found.length > 0))).toEqual({});
    opened.expectClean();
  },
);
