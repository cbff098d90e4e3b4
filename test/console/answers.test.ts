/** Questions in the console: answers that come in pieces, the places that they quote, and answers that do not come whole. */
import { expect, test } from "bun:test";
import { API_KEY, place, serve, type Server } from "../e2e/binary.ts";
import { chromium, type Page } from "../e2e/browser.ts";
import { startChatServer } from "../helpers/chat-server.ts";
import { lacks } from "../helpers/lacks.ts";
import { waitFor } from "../helpers/wait.ts";
import { clickButton, faultsEverywhere, indexed, openConsole } from "./console.ts";

const QUICK = ["--default-model", "lectern-embed-en"];
/** Astral characters before what is quoted: offsets are code points, and text in a page is UTF-16. */
const HANDBOOK = [
  "# 🚢 Harbour handbook 🚢\n",
  "Lunch is at noon in the hall of the harbour office.\n",
  "## Refunds 🧾\n",
  "A refund takes ten days after the parcel has come back to the harbour.\n",
].join("\n");

async function ask(page: Page, question: string): Promise<void> {
  await page.until(
    "the answer before has ended",
    `document.querySelector('button[type="submit"]')?.disabled === false`,
  );
  await page.type('input[name="question"]', question);
  await page.click('button[type="submit"]');
}

/** Follows each source of the answers, and waits until what it quotes is what is marked, to the letter. Their number. */
async function followSources(page: Page): Promise<number> {
  const back = await page.evaluate<string>("location.hash");
  const sources = await page.evaluate<[quote: string, href: string][]>(
    `[...document.querySelectorAll(".turn h3 + ol li")].map((li) => [li.querySelector("q").textContent, li.querySelector("a").getAttribute("href")])`,
  );
  for (const [quote, href] of sources) {
    await page.evaluate(`location.hash = ${JSON.stringify(href.slice(href.indexOf("#")))}`);
    const marked = "[...document.querySelectorAll('.text mark')].map((one) => one.textContent).join('')";
    const flat = (text: string) => `${text}.replaceAll(/\\s+/g, " ").trim()`;
    await page.until(`“${quote}” is marked`, `${flat(`(${marked})`)} === ${flat(JSON.stringify(quote))}`);
  }
  await page.evaluate(`location.hash = ${JSON.stringify(back)}`);
  return sources.length;
}

async function harbour(server: Server) {
  return await indexed(server, "Harbour", [
    { name: "handbook.md", text: HANDBOOK, attributes: { year: 2026 } },
    {
      name: "parcels.txt",
      text: "Parcels are weighed twice before they leave the harbour.",
      attributes: { year: 2020 },
    },
  ]);
}

test.skipIf(lacks("chromium", chromium !== null))(
  "each citation of an answer opens the document at what is quoted; a question after it goes on with the thread",
  async () => {
    using where = place();
    await using server = await serve(where, { args: QUICK });
    const { store } = await harbour(server);
    await using opened = await openConsole(where, server.url, API_KEY);
    const { page } = opened;
    await page.evaluate(`location.hash = "#/stores/${store}/answers"`);
    await page.untilText("Ask a question");
    await ask(page, "How long does a refund take?");
    await page.untilText("Sources");
    await page.untilText("What was searched for");
    const shown = await page.evaluate<string>("document.querySelector('.turn').innerText");
    expect(shown).toContain("A refund takes ten days");
    expect(await page.evaluate<number>("document.querySelectorAll('.turn .cite').length")).toBeGreaterThan(0);
    await ask(page, "How are parcels weighed?");
    await page.until("a second answer has its sources", "document.querySelectorAll('.turn:nth-child(2) q').length > 0");
    expect(await page.evaluate<number>("document.querySelectorAll('.turn').length")).toBe(2);
    expect(await followSources(page)).toBeGreaterThan(1);
    opened.expectClean();
  },
);

test.skipIf(lacks("chromium", chromium !== null))(
  "where it is looked for is chosen: a filter, other stores; what was found and not quoted can be unfolded",
  async () => {
    using where = place();
    await using server = await serve(where, { args: QUICK });
    const { store } = await harbour(server);
    await indexed(server, "Kitchen", [{ name: "soup.txt", text: "The soup of the day takes an hour to cook." }]);
    await using opened = await openConsole(where, server.url, API_KEY);
    const { page } = opened;
    await page.evaluate(`location.hash = "#/stores/${store}/answers"`);
    await page.untilText("Ask a question");
    await ask(page, "How long does the soup of the day take to cook?");
    await page.until("it has ended", "document.querySelectorAll('.turn details').length > 0");
    const sources = async () =>
      await page.evaluate<string[]>(
        "[...document.querySelectorAll('.turn:last-child h3 + ol a')].map((one) => one.innerText)",
      );
    expect(await sources()).toEqual([]);
    await page.evaluate("[...document.querySelectorAll('details')].forEach((one) => { one.open = true; })");
    await page.click(".choices input");
    await clickButton(page, "New thread");
    await ask(page, "How long does the soup of the day take to cook?");
    await page.until("it is answered from the other store", "document.querySelectorAll('.turn q').length > 0");
    expect(await sources()).toEqual(["soup.txt"]);
    const left = await page.evaluate<string[]>(
      "[...document.querySelectorAll('.turn .passage')].map((one) => one.textContent)",
    );
    expect(left.join()).not.toContain("takes an hour to cook");
    await page.evaluate(`[...document.querySelectorAll("button")].find((one) => one.innerText === "JSON").click()`);
    await page.type("textarea.code", '{"type":"eq","key":"year","value":2020}');
    await clickButton(page, "New thread");
    await ask(page, "How are parcels weighed, and how long does a refund take?");
    await page.until("it is answered again", "document.querySelectorAll('.turn q').length > 0");
    expect(await sources()).toEqual(["parcels.txt"]);
    expect(await faultsEverywhere(page)).toEqual([]);
    opened.expectClean();
  },
);

/** The page of answers of a store, which a chat model writes. */
async function openAnswers() {
  await using stack = new AsyncDisposableStack();
  const chat = stack.use(await startChatServer());
  const where = stack.use(place());
  const args = [...QUICK, "--chat-address", chat.address, "--chat-model", "tiny", "--allow-private-addresses"];
  const server = stack.use(await serve(where, { args }));
  const { store } = await harbour(server);
  const opened = stack.use(await openConsole(where, server.url, API_KEY));
  await opened.page.evaluate(`location.hash = "#/stores/${store}/answers"`);
  await opened.page.untilText("Ask a question");
  const all = stack.move();
  return { chat, server, opened, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

test.skipIf(lacks("chromium", chromium !== null))(
  "a new thread ends the answer that is being written, and begins with the next question",
  async () => {
    await using answers = await openAnswers();
    const { chat, opened } = answers;
    const { page } = opened;
    chat.say({ text: "A refund takes ten days. ".repeat(400), hangAfter: 20_000 });
    await ask(page, "How long does a refund take?");
    await page.until("some of it has come", `document.querySelector(".answer")?.textContent.includes("ten days")`);
    const { left } = chat;
    await clickButton(page, "New thread");
    await waitFor("the model is left alone", () => (chat.left > left ? true : undefined));
    chat.say({ text: "Parcels are weighed twice." });
    await ask(page, "How are parcels weighed?");
    await page.untilText("Parcels are weighed twice.");
    expect(
      await page.evaluate<string[]>("[...document.querySelectorAll('.turn h2')].map((one) => one.innerText)"),
    ).toEqual(["How are parcels weighed?"]);
    opened.expectClean();
  },
  240_000,
);

test.skipIf(lacks("chromium", chromium !== null))(
  "an answer that breaks off, one that a model fails half-way, and one of nothing that fits say so",
  async () => {
    await using answers = await openAnswers();
    const { chat, server, opened } = answers;
    const { page } = opened;
    // What comes with the break itself may be lost on the way.
    const broken = Promise.withResolvers<void>();
    chat.say({ text: "A refund takes ten days. ".repeat(400), breakAfter: 20_000, breakWhen: broken.promise });
    await ask(page, "How long does a refund take?");
    const last = ".turn:last-child";
    await page.until(
      "some of it has come",
      `document.querySelector("${last} .answer")?.textContent.includes("ten days")`,
    );
    broken.resolve();
    await page.until("that it failed is said", `document.querySelector("${last} [role=alert]") !== null`);
    expect(await page.textOf(`${last} [role=alert]`)).toMatch(/chat model|language model|upstream/i);
    expect(await page.textOf(`${last} .answer`)).toContain("A refund takes ten days.");
    // Quoting is chosen in its place, and there is nothing to quote.
    await page.evaluate("[...document.querySelectorAll('details')].forEach((one) => { one.open = true; })");
    await page.evaluate(
      `(() => { const one = document.querySelector("main select"); one.value = "lectern-extractive"; one.dispatchEvent(new Event("change", { bubbles: true })); })()`,
    );
    await clickButton(page, "New thread");
    await ask(page, "What is the capital of Mongolia?");
    await page.until("it has ended", `document.querySelectorAll("${last} details").length > 0`);
    const text = await page.textOf(`${last} .answer`);
    expect(text).not.toContain("[1]");
    expect(text.length).toBeGreaterThan(10);
    // The server goes away in the middle of an answer: what has come stays.
    await page.evaluate(
      `(() => { const one = document.querySelector("main select"); one.value = ""; one.dispatchEvent(new Event("change", { bubbles: true })); })()`,
    );
    chat.say({ text: "A refund takes ten days. ".repeat(400), hangAfter: 20_000 });
    await ask(page, "How long does a refund take?");
    await page.until(
      "some of it has come",
      `document.querySelector("${last} .answer").textContent.includes("ten days")`,
    );
    await server.kill();
    await page.untilText("The answer broke off.");
    expect(await page.textOf(`${last} .answer`)).toContain("A refund takes ten days.");
    opened.expectClean(/ERR_|failed to fetch|net::|Failed to load resource/i);
  },
  240_000,
);
