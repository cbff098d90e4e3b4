/** Keys and tenants, as an operator, the administrator of a tenant and everybody else see them. */
import { expect, test } from "bun:test";
import { API_KEY, place, serve, type Server } from "../e2e/binary.ts";
import { chromium, type Page } from "../e2e/browser.ts";
import { lacks } from "../helpers/lacks.ts";
import { buttonsOf, clickButton, indexed, faultsEverywhere, makeKey, openConsole } from "./console.ts";

const post = async (server: Server, path: string, body: object) => {
  const headers = { "content-type": "application/json" };
  return (await (await server.request(path, { method: "POST", headers, body: JSON.stringify(body) })).json()) as {
    id: string;
  };
};

const choose = (page: Page, selector: string, value: string) =>
  page.evaluate(`{
    const field = document.querySelector(${JSON.stringify(selector)});
    field.value = ${JSON.stringify(value)};
    field.dispatchEvent(new Event("change", { bubbles: true }));
  }`);

test.skipIf(lacks("chromium", chromium !== null))("an operator makes a key, sees it once, and revokes it", async () => {
  using where = place();
  await using server = await serve(where);
  const { store } = await indexed(server, "Handbook", [{ name: "a.txt", text: "Lunch is at noon." }]);
  await using opened = await openConsole(where, server.url, API_KEY);
  const { page } = opened;
  await page.click('a[href="#/keys"]');
  await page.untilText("API keys");
  await page.untilText("New key");
  expect(await faultsEverywhere(page)).toEqual([]);

  await clickButton(page, "New key");
  await page.type('input[name="key-name"]', "support bot");
  await page.click('fieldset input[type="checkbox"]');
  await choose(page, "dialog form label:nth-of-type(3) select", "30");
  expect(await faultsEverywhere(page)).toEqual([]);
  await clickButton(page, "Make the key", "dialog");
  const key = (await page.textOf(".secret")).trim();
  expect(key).toMatch(/^sk-lec-\w+/);
  expect(await faultsEverywhere(page)).toEqual([]);
  await clickButton(page, "I have copied it");
  await page.untilText("support bot");
  expect(await page.evaluate<string>("document.body.innerText")).not.toContain(key);

  // It is what was asked for, and works.
  const as = (path: string) => fetch(server.url + path, { headers: { authorization: `Bearer ${key}` } });
  const me = (await (await as("/v1/me")).json()) as { expires_at: number };
  expect(me).toMatchObject({ role: "read", operator: false, vector_store_ids: [store] });
  const days = (me.expires_at - Date.now() / 1000) / 86_400;
  expect(days).toBeGreaterThan(29);
  expect(days).toBeLessThan(31);

  await clickButton(page, "Revoke", "tr:has(code)");
  await page.untilText("Revoke support bot?");
  await page.type('input[name="typed"]', "support");
  expect(await page.evaluate<boolean>("document.querySelector('dialog .danger').disabled")).toBe(true);
  await page.type('input[name="typed"]', " bot");
  await clickButton(page, "Revoke", "dialog");
  await page.until("the key is gone", "!document.body.innerText.includes('support bot')");
  expect((await as("/v1/me")).status).toBe(401);
  opened.expectClean();
});

test.skipIf(lacks("chromium", chromium !== null))(
  "an operator makes a tenant with quotas, suspends, resumes and deletes it",
  async () => {
    using where = place();
    await using server = await serve(where);
    await using opened = await openConsole(where, server.url, API_KEY);
    const { page } = opened;
    await page.click('a[href="#/keys"]');
    await clickButton(page, "New tenant");
    await page.type('input[name="tenant-name"]', "ACME");
    await page.type('input[name="max_vector_stores"]', "4");
    expect(await faultsEverywhere(page)).toEqual([]);
    await clickButton(page, "Make the tenant", "dialog");
    await page.untilText("ACME");
    const tenants = async () => {
      const { data } = (await (await server.request("/v1/admin/tenants?order=asc")).json()) as {
        data: { id: string; name: string; status: string; quotas: object }[];
      };
      return data;
    };
    const [, acme] = await tenants();
    expect(acme).toMatchObject({ name: "ACME", status: "active", quotas: { max_vector_stores: 4, max_bytes: null } });

    // One store of four: a quarter of the bar, and the same in words.
    const { key } = await makeKey(server, { name: "chief", role: "admin", tenant_id: acme?.id });
    await fetch(`${server.url}/v1/vector_stores`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
      body: '{"name":"Theirs"}',
    });
    await page.evaluate("location.hash = '#/stores'");
    await page.untilText("first store");
    await page.evaluate("location.hash = '#/keys'");
    await page.untilText("1 of 4");
    expect(await page.textOf("tr:has(.bar)")).toContain("ACME");
    expect(await page.evaluate<string>("document.querySelector('tr .bar').getAttribute('aria-label')")).toBe(
      "Stores: 25 %",
    );
    expect(await faultsEverywhere(page)).toEqual([]);

    const acmes = "tr:has(.bar)";
    await clickButton(page, "Suspend", acmes);
    await page.untilText("suspended");
    expect((await tenants())[1]?.status).toBe("suspended");
    await clickButton(page, "Resume", acmes);
    await page.until("it is active", `document.querySelector("${acmes} .state").innerText.includes("active")`);

    await clickButton(page, "Quotas", acmes);
    expect(await page.evaluate<string>("document.querySelector('input[name=max_vector_stores]').value")).toBe("4");
    await page.type('input[name="requests_per_minute"]', "60");
    await clickButton(page, "Save", "dialog");
    await page.untilText("60 requests a minute");

    await clickButton(page, "Delete", acmes);
    await page.untilText("1 stores and 0 files are deleted");
    await page.type('input[name="typed"]', "ACME");
    await clickButton(page, "Delete", "dialog");
    await page.until("it is gone", "!document.body.innerText.includes('ACME')");
    expect((await tenants()).length).toBe(1);
    // The first tenant, whose keys administer the server, has neither button.
    expect((await buttonsOf(page)).filter((word) => /Suspend|Delete/.test(word))).toEqual([]);
    opened.expectClean();
  },
);

test.skipIf(lacks("chromium", chromium !== null))(
  "the administrator of a tenant makes keys, and has no buttons for tenants",
  async () => {
    using where = place();
    await using server = await serve(where);
    const acme = await post(server, "/v1/admin/tenants", { name: "ACME <b>\u202Ex" });
    const { key } = await makeKey(server, { name: "chief", role: "admin", tenant_id: acme.id });
    await using opened = await openConsole(where, server.url, key);
    const { page } = opened;
    await page.click('a[href="#/keys"]');
    await page.untilText("ACME <b>\u2039U+202E\u203Ax");
    // Its name stands above the list too, which may come later.
    await page.until("the key is listed", "document.querySelector('main tbody tr button') !== null");
    await page.untilText("chief");
    expect((await buttonsOf(page)).toSorted()).toEqual(["New key", "Revoke"]);
    // It cannot know of another: there is no choice of one.
    await clickButton(page, "New key");
    await page.type('input[name="key-name"]', "theirs");
    expect(await page.evaluate<number>("document.querySelectorAll('dialog select').length")).toBe(3);
    await clickButton(page, "Make the key", "dialog");
    await page.textOf(".secret");
    await clickButton(page, "I have copied it");
    await page.untilText("theirs");
    // What the server refuses is said where it was asked.
    await page.evaluate("location.hash = '#/stores'");
    opened.expectClean();
  },
);
