/** What the console shows while the server is away, slow, has no room, or refuses: and that it goes on by itself. */
import { expect, test } from "bun:test";
import { API_KEY, place, serve } from "../e2e/binary.ts";
import { chromium } from "../e2e/browser.ts";
import { lacks } from "../helpers/lacks.ts";
import { files, indexed, makeKey, openConsole } from "./console.ts";

const QUICK = ["--default-model", "lectern-embed-en"];
/** What the browser itself says of requests that were refused or got lost. */
const LOST = /^(402|429|507) |ERR_|failed to fetch|net::|Failed to load resource/i;

test.skipIf(lacks("chromium", chromium !== null))(
  "while the server is away what was shown stays, and is brought up to date when it is back",
  async () => {
    using where = place();
    const first = await serve(where, { args: QUICK });
    const port = Number(new URL(first.url).port);
    await indexed(first, "Handbook", [{ name: "a.txt", text: "Lunch is at noon." }]);
    await using opened = await openConsole(where, first.url, API_KEY);
    const { page } = opened;
    await page.untilText("Handbook");
    process.kill(first.pid, "SIGKILL");
    await page.evaluate(`location.hash = "#/health"`);
    await page.untilText("does not answer");
    await page.evaluate(`location.hash = "#/stores"`);
    await page.untilText("does not answer");
    await using back = await serve(where, { args: QUICK, port });
    await page.untilText("Handbook");
    await page.until("nothing is old any more", "!document.body.innerText.includes('does not answer')");
    expect(back.pid).not.toBe(first.pid);
    opened.expectClean(LOST);
  },
  240_000,
);

test.skipIf(lacks("chromium", chromium !== null))(
  "a key that asked too much waits as long as the server says, and is told why",
  async () => {
    using where = place();
    await using server = await serve(where, { args: QUICK });
    const { store } = await indexed(server, "Handbook", [{ name: "a.txt", text: "Lunch is at noon." }]);
    const { key } = await makeKey(server, { name: "slow", role: "write", quotas: { requests_per_minute: 10 } });
    await using opened = await openConsole(where, server.url, key);
    const { page } = opened;
    await page.untilText("Handbook");
    let refused: Response | null = null;
    while (refused?.status !== 429)
      refused = await fetch(`${server.url}/v1/me`, { headers: { authorization: `Bearer ${key}` } });
    expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(0);
    const asked = () => page.requests().filter((one) => one.includes(store)).length;
    await page.evaluate(`location.hash = "#/stores/${store}/playground?q=lunch"`);
    await page.untilText("Rate limit reached");
    await page.untilText("Lunch is at noon");
    // Each question of the page was asked a few times, not again and again.
    expect(asked()).toBeLessThan(20);
    opened.expectClean(LOST);
  },
  240_000,
);

test.skipIf(lacks("chromium", chromium !== null))(
  "what a suspended store refuses is said where it would be shown, and a full disk beside the file that was dropped",
  async () => {
    using where = place();
    {
      await using server = await serve(where, { args: QUICK });
      const { store } = await indexed(server, "Handbook", [{ name: "a.txt", text: "Lunch is at noon." }]);
      await server.request(`/v1/admin/vector_stores/${store}/suspend`, { method: "POST" });
      await using opened = await openConsole(where, server.url, API_KEY);
      const { page } = opened;
      await page.untilText("suspended");
      await page.evaluate(`location.hash = "#/stores/${store}/files"`);
      const said = "/is suspended/i.test(document.querySelector('[role=alert]')?.innerText)";
      await page.until("its files are not shown, and why", said);
      await page.evaluate(`location.hash = "#/stores/${store}/playground?q=lunch"`);
      await page.until("nor is it searched", said);
      opened.expectClean(LOST);
      await server.request(`/v1/admin/vector_stores/${store}/resume`, { method: "POST" });
    }
    await using full = await serve(where, { args: [...QUICK, "--min-free-disk-mb", "1000000000"] });
    await using opened = await openConsole(where, full.url, API_KEY);
    const { page } = opened;
    await page.click('a[href*="/stores/vs_"]');
    await page.untilText("a.txt");
    await page.drop(files(where.tmp, { "c.txt": "Supper is at ten." }));
    await page.untilText("free disk space");
    await page.untilText("0 of 1 files done");
    opened.expectClean(LOST);
  },
  240_000,
);

test.skipIf(lacks("chromium", chromium !== null))(
  "over a slow network it is shown that something is coming",
  async () => {
    using where = place();
    await using server = await serve(where, { args: QUICK });
    await indexed(server, "Handbook", [{ name: "a.txt", text: "Lunch is at noon." }]);
    const slow = Promise.withResolvers<void>();
    let isSlow = false;
    using proxy = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      async fetch(request) {
        const { pathname, search } = new URL(request.url);
        if (isSlow && pathname.startsWith("/v1/vector_stores")) await slow.promise;
        return await fetch(new Request(`${server.url}${pathname}${search}`, request as RequestInit));
      },
    });
    await using opened = await openConsole(where, `http://127.0.0.1:${proxy.port}`, API_KEY);
    const { page } = opened;
    await page.untilText("Handbook");
    await page.evaluate(`location.hash = "#/connect"`);
    await page.untilText("Claude Desktop");
    isSlow = true;
    await page.evaluate(`location.hash = "#/stores"`);
    expect(await page.textOf(".skeleton")).toContain("Loading");
    slow.resolve();
    await page.untilText("Handbook");
    await page.until("nothing is coming any more", "document.querySelector('.skeleton') === null");
    opened.expectClean();
  },
);
