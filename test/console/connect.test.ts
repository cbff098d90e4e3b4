/** What other programs are told, with a key of the least role. */
import { expect, test } from "bun:test";
import { API_KEY, place, serve } from "../e2e/binary.ts";
import { chromium } from "../e2e/browser.ts";
import { lacks } from "../helpers/lacks.ts";
import { buttonsOf, clickButton, indexed, faultsEverywhere, makeKey, openConsole } from "./console.ts";

test.skipIf(lacks("chromium", chromium !== null))(
  "what is pasted has this server's address, and a key that reads one store",
  async () => {
    using where = place();
    await using server = await serve(where);
    const { store } = await indexed(server, "Handbook", [{ name: "a.txt", text: "Lunch is at noon." }]);
    await using opened = await openConsole(where, server.url, API_KEY);
    const { page } = opened;
    await page.click('a[href="#/connect"]');
    await page.untilText("Connect other programs");
    await page.evaluate(`location.hash = "#/connect?for=cursor&store=${store}"`);
    const config = async () => JSON.parse(await page.textOf("pre.code")) as { mcpServers: { lectern: object } };
    await page.untilText("mcp.json");
    expect((await config()).mcpServers.lectern).toEqual({
      url: `${server.url}/mcp`,
      headers: { Authorization: "Bearer YOUR_KEY" },
    });
    await clickButton(page, "Make a key for it");
    await page.untilText("shown only now");
    const made = (await config()).mcpServers.lectern as { headers: { Authorization: string } };
    const me = await fetch(`${server.url}/v1/me`, { headers: { authorization: made.headers.Authorization } });
    expect(await me.json()).toMatchObject({ name: "Cursor", role: "read", vector_store_ids: [store] });
    expect(await faultsEverywhere(page)).toEqual([]);

    // Another program gets none of it, and every program has something to paste.
    const key = made.headers.Authorization.replace("Bearer ", "");
    const programs = await page.evaluate<string[]>(
      "[...document.querySelectorAll('select')][0].innerText.split('\\n').length > 1 ? [...document.querySelectorAll('select')[0].options].map((one) => one.value).filter(Boolean) : []",
    );
    expect(programs.length).toBe(10);
    for (const program of programs) {
      await page.evaluate(`location.hash = "#/connect?for=${program}&store=${store}"`);
      await page.until(`${program} is shown`, `document.querySelectorAll("select")[0].value === "${program}"`);
      const text = await page.textOf('section[aria-labelledby="recipe"]');
      expect([program, text.includes(server.url), text.includes(key)]).toEqual([program, true, program === "cursor"]);
    }
    opened.expectClean();
  },
);

test.skipIf(lacks("chromium", chromium !== null))("who cannot make keys is told to ask for one", async () => {
  using where = place();
  await using server = await serve(where, { args: ["--public-url", "https://docs.example/lectern/"] });
  const { key } = await makeKey(server, { name: "reader", role: "read" });
  await using opened = await openConsole(where, server.url, key);
  const { page } = opened;
  await page.click('a[href="#/connect"]');
  await page.untilText("Connect other programs");
  await page.evaluate('location.hash = "#/connect?for=vscode"');
  await page.untilText("an administrator can make one");
  expect(await page.textOf("pre.code")).toContain('"https://docs.example/lectern/mcp"');
  expect(await buttonsOf(page)).toEqual(["Copy mcp.json"]);
  opened.expectClean();
});
