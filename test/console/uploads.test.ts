/**
 * Many files dropped at once, and the server killed in the middle: the page goes on by itself when it is back.
 * LECTERN_TEST_UPLOADS sets how many files: 60 unless set, 300 for the number that is promised.
 */
import { join } from "node:path";
import { expect, test } from "bun:test";
import { API_KEY, place, serve, type Server } from "../e2e/binary.ts";
import { chromium } from "../e2e/browser.ts";
import { lacks } from "../helpers/lacks.ts";
import { waitFor } from "../helpers/wait.ts";
import { files, openConsole } from "./console.ts";

const FILES = Number(process.env["LECTERN_TEST_UPLOADS"] ?? 60);
const QUICK = ["--default-model", "lectern-embed-en"];

interface StoreFile {
  id: string;
  filename: string;
  status: string;
  attributes: { path?: string } | null;
}

async function get<T>(server: Server, path: string): Promise<T> {
  return (await (await server.request(path)).json()) as T;
}

async function filesOf(server: Server, store: string): Promise<StoreFile[]> {
  const all: StoreFile[] = [];
  for (let after = ""; ;) {
    const page = await get<{ data: StoreFile[]; has_more: boolean; last_id: string }>(
      server,
      `/v1/vector_stores/${store}/files?limit=100${after}`,
    );
    all.push(...page.data);
    if (!page.has_more) return all;
    after = `&after=${page.last_id}`;
  }
}

test.skipIf(lacks("chromium", chromium !== null))(
  "of many files that are dropped none is lost and none is there twice when the server is killed in between",
  async () => {
    using where = place();
    const port = await (async () => {
      await using first = await serve(where, { args: QUICK });
      return Number(new URL(first.url).port);
    })();
    await using doomed = await serve(where, { args: QUICK, port });
    const made = await doomed.request("/v1/vector_stores", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ name: "Many" }),
    });
    const { id: store } = (await made.json()) as { id: string };
    const contents = Array.from(
      { length: FILES },
      (_, i) => [`many/n${i}.txt`, `Note ${i} on ships. `.repeat(200)] as const,
    );
    const [first = ""] = files(where.tmp, Object.fromEntries(contents));
    await using opened = await openConsole(where, doomed.url, API_KEY);
    const { page } = opened;
    await page.evaluate(`location.hash = "#/stores/${store}/files"`);
    await page.untilText("Drop files");
    await page.drop([join(first, "..")]);
    await waitFor("some are in the store", async () =>
      (await get<{ file_counts: { total: number } }>(doomed, `/v1/vector_stores/${store}`)).file_counts.total >=
      FILES / 4
        ? true
        : undefined,
    );
    await doomed.kill();
    await page.untilText("The server does not answer");
    await using server = await serve(where, { args: QUICK, port });
    await page.untilText(`${FILES} of ${FILES} files done`);
    const all = await waitFor("all are indexed", async () => {
      const now = await filesOf(server, store);
      return now.every(({ status }) => status !== "in_progress") ? now : undefined;
    });
    const paths = (of: readonly string[]) => of.toSorted();
    expect(paths(all.map(({ attributes }) => attributes?.path ?? ""))).toEqual(paths(contents.map(([path]) => path)));
    expect(new Set(all.map(({ status }) => status))).toEqual(new Set(["completed"]));
    // What was on its way when the server went failed once.
    opened.expectClean(/ERR_|failed to fetch|net::|Failed to load resource/i);
  },
  240_000,
);
