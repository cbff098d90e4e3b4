/** The models of a server, as its operator adds, tries and removes them. */
import { expect, test } from "bun:test";
import { SMALL_SHAPE, transformerFolder } from "../../src/embed/testing/model-folders.ts";
import { randomTransformer } from "../../src/embed/testing/transformer.ts";
import { API_KEY, place, serve } from "../e2e/binary.ts";
import { chromium, type Page } from "../e2e/browser.ts";
import { lacks } from "../helpers/lacks.ts";
import { clickButton, files, faultsEverywhere, openConsole } from "./console.ts";

const FOLDER = transformerFolder(randomTransformer(SMALL_SHAPE));
const below = (name: string, folder: typeof FOLDER) =>
  Object.fromEntries(Object.entries(folder).map(([path, content]) => [`${name}/${path}`, content]));
const rowOf = (id: string) =>
  `[...document.querySelectorAll("main tbody tr")].find((row) => row.querySelector("th").innerText.includes(${JSON.stringify(id)}))`;

test.skipIf(lacks("chromium", chromium !== null))(
  "a folder that is dropped is tried, added and removed; one that cannot be used says why",
  async () => {
    using where = place();
    await using server = await serve(where);
    files(where.tmp, {
      ...below("house", { ...FOLDER, "model.safetensors": "x".repeat(1000), "onnx/model_int8.onnx": "another" }),
      ...below("half", { ...FOLDER, "tokenizer.json": "{}" }),
    });
    await using opened = await openConsole(where, server.url, API_KEY);
    const { page } = opened;
    await page.click('a[href="#/models"]');
    await page.untilText("lectern-embed-en");
    await page.untilText("default");
    expect(await faultsEverywhere(page)).toEqual([]);

    await openFolderDialog(page);
    await page.drop([`${where.tmp}/half`]);
    await page.untilText("files,");
    await clickButton(page, "Add the model", "dialog");
    expect(await page.textOf("dialog .failure")).toContain("tokenizer.json");
    await clickButton(page, "Cancel", "dialog");
    await page.until("the dialog is closed", "document.querySelector('dialog[open]') === null");

    await openFolderDialog(page);
    await page.drop([`${where.tmp}/house`]);
    await page.until("the name is proposed", "document.querySelector('input[name=model-id]')?.value === 'house'");
    // Of two graphs one is sent.
    await page.untilText("Graph to run");
    expect(await faultsEverywhere(page)).toEqual([]);
    await clickButton(page, "Add the model", "dialog");
    await page.until("it is there", `${rowOf("house")} !== undefined`);
    expect(await page.evaluate<string>(`${rowOf("house")}.innerText`)).toMatch(/vectors\s+here\s+16\s+\d+ tokens\s+0/);
    await page.evaluate(
      `[...${rowOf("house")}.querySelectorAll("button")].find((one) => one.innerText === "Verify").click()`,
    );
    await page.untilText("a vector of 16");
    const { data } = (await (await server.request("/v1/admin/models")).json()) as {
      data: { id: string; usable: boolean; removable: boolean }[];
    };
    expect(data.map(({ id }) => id)).not.toContain("half");
    expect(data.find(({ id }) => id === "house")).toMatchObject({ usable: true, removable: true });

    await page.evaluate(
      `[...${rowOf("house")}.querySelectorAll("button")].find((one) => one.innerText === "Remove").click()`,
    );
    await page.type('input[name="typed"]', "house");
    await clickButton(page, "Remove", "dialog");
    await page.until("it is gone", `${rowOf("house")} === undefined`);
    // What is part of the server has no such button.
    expect(await page.evaluate<string>(`${rowOf("lectern-embed-en")}.innerText`)).not.toContain("Remove");
    opened.expectClean(/400/);
  },
);

test.skipIf(lacks("chromium", chromium !== null))(
  "a remote model is tried before it is added, and no key is asked for",
  async () => {
    using where = place();
    await using server = await serve(where, { args: ["--allow-private-addresses"] });
    await using fake = vectors();
    await using opened = await openConsole(where, server.url, API_KEY);
    const { page } = opened;
    await page.click('a[href="#/models"]');
    await clickButton(page, "Add a remote model");
    await page.type('input[name="address"]', fake.address);
    await page.type('input[name="id"]', "house");
    expect(await faultsEverywhere(page)).toEqual([]);
    expect(await page.evaluate<number>("document.querySelectorAll('dialog input[type=password]').length")).toBe(0);
    await clickButton(page, "Try", "dialog");
    await page.untilText("It answers: 3 dimensions");
    const ids = async () => {
      const { data } = (await (await server.request("/v1/admin/models")).json()) as { data: { id: string }[] };
      return data.map(({ id }) => id);
    };
    expect(await ids()).not.toContain("house");
    // A variable that the operator did not list is refused, and nothing is sent.
    const asked = fake.asked();
    await page.type('input[name="keyVariable"]', "HOME");
    await clickButton(page, "Try", "dialog");
    expect(await page.textOf("dialog .failure")).toContain("model-key-variables");
    expect(fake.asked()).toBe(asked);
    await page.evaluate(`{
      const field = document.querySelector('input[name="keyVariable"]');
      field.value = "";
      field.dispatchEvent(new Event("input", { bubbles: true }));
    }`);
    await clickButton(page, "Add the model", "dialog");
    await page.until("it is there", `${rowOf("house")} !== undefined`);
    expect(await page.evaluate<string>(`${rowOf("house")}.innerText`)).toContain(fake.address);
    expect(await ids()).toContain("house");
    await page.click('a[href="#/health"]');
    await page.untilText(fake.address);
    opened.expectClean(/400/);
  },
);

/** What is dropped before the dialog was painted falls on what was seen before it. */
async function openFolderDialog(page: Page): Promise<void> {
  await clickButton(page, "Add a folder");
  await page.until("the dialog is there", "document.querySelector('dialog[open]') !== null");
  await page.evaluate(
    "new Promise((painted) => requestAnimationFrame(() => requestAnimationFrame(() => painted(true))))",
  );
}

/** A server of vectors of three numbers. */
function vectors() {
  let asked = 0;
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      asked += 1;
      const { input } = (await request.json()) as { input: string[] };
      return Response.json({ data: input.map((text, index) => ({ index, embedding: [text.length, 1, index] })) });
    },
  });
  return {
    address: `http://127.0.0.1:${server.port}/v1`,
    asked: () => asked,
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}
