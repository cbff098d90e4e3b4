/** The console in a real browser, on the compiled binary: what its tests share. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect } from "bun:test";
import type { Place, Server } from "../e2e/binary.ts";
import { type Page, openPage } from "../e2e/browser.ts";
import { waitFor } from "../helpers/wait.ts";

export interface Opened extends AsyncDisposable {
  page: Page;
  /** Fails where the page asked elsewhere, was told of a violation, or something went wrong that the test did not expect. */
  expectClean(expected?: RegExp): void;
}

/** A browser on the console, signed in with `key` where one is given. */
export async function openConsole(where: Place, url: string, key?: string): Promise<Opened> {
  const page = await openPage(where);
  await page.view({ width: 1100, height: 800 });
  await page.open(`${url}/console/`);
  if (key !== undefined) {
    await page.type('input[name="key"]', key);
    await page.click('button[type="submit"]');
    await page.untilText("Sign out");
  }
  return {
    page,
    expectClean(expected) {
      const failures = page.failures().filter((line) => expected === undefined || !expected.test(line));
      expect(failures).toEqual([]);
      const elsewhere = page.requests().filter((one) => !one.startsWith(url) && !/^(data|blob|about):/.test(one));
      expect(elsewhere).toEqual([]);
    },
    [Symbol.asyncDispose]: () => page[Symbol.asyncDispose](),
  };
}

/** Writes files below `directory`, and gives their paths. */
export function files(directory: string, contents: Record<string, string | Uint8Array>): string[] {
  return Object.entries(contents).map(([name, content]) => {
    const path = join(directory, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    return path;
  });
}

interface Document {
  name: string;
  text: string;
  attributes?: Record<string, string | number | boolean>;
}

/** A store with these documents, indexed; its id and theirs. */
export async function indexed(server: Server, name: string, documents: readonly Document[]) {
  const ask = async <T>(path: string, init?: RequestInit): Promise<T> => {
    const response = await server.request(path, init);
    const text = await response.text();
    expect([path, response.status, response.ok ? "" : text]).toEqual([path, 200, ""]);
    return JSON.parse(text);
  };
  const send = (path: string, body: object) => {
    const headers = { "content-type": "application/json" };
    return ask<{ id: string }>(path, { method: "POST", headers, body: JSON.stringify(body) });
  };
  const { id: store } = await send("/v1/vector_stores", { name });
  const ids: string[] = [];
  for (const document of documents) {
    const form = new FormData();
    form.append("purpose", "assistants");
    form.append("file", new File([document.text], document.name));
    const uploaded = await ask<{ id: string }>("/v1/files", { method: "POST", body: form });
    await send(`/v1/vector_stores/${store}/files`, { file_id: uploaded.id, attributes: document.attributes ?? {} });
    ids.push(uploaded.id);
  }
  await waitFor("the documents are indexed", async () => {
    const { file_counts } = await ask<{ file_counts: { in_progress: number } }>(`/v1/vector_stores/${store}`);
    return file_counts.in_progress === 0 || undefined;
  });
  return { store, files: ids };
}

const AXE = join(import.meta.dir, "../../node_modules/axe-core/axe.min.js");

/** What axe finds wrong with the page as it is, by rule and element. */
export async function axeFaults(page: Page): Promise<string[]> {
  if (!(await page.evaluate<boolean>("typeof axe === 'object'"))) await page.evaluate(`${readFileSync(AXE, "utf8")};1`);
  return await page.evaluate<string[]>(
    `axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) =>
      violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => id + ": " + html.slice(0, 200))))`,
  );
}

/** What is wrong with the page as it is, in both colours, wide and narrow: what axe finds, and what is scrolled sideways. */
export async function faultsEverywhere(page: Page): Promise<string[]> {
  const faults: string[] = [];
  for (const scheme of ["light", "dark"] as const)
    for (const width of [1100, 360]) {
      await page.view({ width, height: 800, scheme });
      const found = await axeFaults(page);
      const fits = await page.evaluate<boolean>("document.documentElement.scrollWidth <= innerWidth");
      faults.push(...[...found, ...(fits ? [] : ["scrolls sideways"])].map((one) => `${scheme} ${width} ${one}`));
    }
  await page.view({ width: 1100, height: 800 });
  return faults;
}

/** Words of the buttons in the page that are shown. */
export async function buttonsOf(page: Page): Promise<string[]> {
  return await page.evaluate<string[]>(
    "[...document.querySelectorAll('main button')].map((one) => one.innerText.trim())",
  );
}

/** Clicks the button that says this, in the row or dialog that `within` selects. */
export async function clickButton(page: Page, word: string, within = "body"): Promise<void> {
  const found = `[...document.querySelectorAll(${JSON.stringify(`${within} button`)})].find((one) => one.innerText.trim() === ${JSON.stringify(word)} && !one.disabled)`;
  await page.until(`the button "${word}" is there`, `${found} !== undefined`);
  await page.evaluate(`${found}.click()`);
}

/** A key, as an administrator makes it. */
export async function makeKey(server: Server, body: object): Promise<{ id: string; key: string }> {
  const init = { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  return (await (await server.request("/v1/admin/keys", init)).json()) as { id: string; key: string };
}
