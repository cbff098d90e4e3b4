/** Each key is shown the pages that it may use, and nothing on them that it may not do. */
import { expect, test } from "bun:test";
import { API_KEY, place, serve } from "../e2e/binary.ts";
import { chromium } from "../e2e/browser.ts";
import { lacks } from "../helpers/lacks.ts";
import { waitFor } from "../helpers/wait.ts";
import { buttonsOf, indexed, makeKey, openConsole } from "./console.ts";

const PLACES = ["Keys", "Models", "Health", "Connect"];
const WRITES = /New store|Rename|Delete|Choose|Remove|Try/;

test.skipIf(lacks("chromium", chromium !== null))("each role is shown its pages and its buttons", async () => {
  using where = place();
  await using server = await serve(where);
  const { store } = await indexed(server, "Handbook", [{ name: "a.txt", text: "Lunch is at noon." }]);
  await indexed(server, "Secrets", [{ name: "b.txt", text: "The safe is behind the clock." }]);
  const headers = { "content-type": "application/json" };
  const tenant = await server.request("/v1/admin/tenants", { method: "POST", headers, body: '{"name":"ACME"}' });
  const { id: acme } = (await tenant.json()) as { id: string };
  const cases = [
    { name: "read", key: (await makeKey(server, { name: "r", role: "read" })).key, places: ["Connect"] },
    { name: "write", key: (await makeKey(server, { name: "w", role: "write" })).key, places: ["Connect"] },
    {
      name: "write, one store",
      key: (await makeKey(server, { name: "o", role: "write", vector_store_ids: [store] })).key,
      places: ["Connect"],
    },
    {
      name: "admin of a tenant",
      key: (await makeKey(server, { name: "a", role: "admin", tenant_id: acme })).key,
      places: ["Keys", "Connect"],
    },
    { name: "operator", key: API_KEY, places: PLACES },
  ];
  await using opened = await openConsole(where, server.url);
  const { page } = opened;
  for (const { name, key, places } of cases) {
    await page.type('input[name="key"]', key);
    await page.click('button[type="submit"]');
    await page.untilText("Sign out");
    const shown = await page.evaluate<string[]>("[...document.querySelectorAll('.top nav a')].map((a) => a.innerText)");
    expect([name, shown.filter((word) => PLACES.includes(word))]).toEqual([name, places]);
    // An address that is not theirs says so, and asks the server nothing that it would refuse.
    for (const word of PLACES.filter((one) => !places.includes(one))) {
      await page.evaluate(`location.hash = "#/${word.toLowerCase()}"`);
      await page.untilText("may not see this");
      expect([name, word, await buttonsOf(page)]).toEqual([name, word, []]);
    }
    await page.evaluate('location.hash = "#/stores"');
    if (name === "admin of a tenant") await page.untilText("Make your first store");
    else await page.untilText("Handbook");
    const text = await page.evaluate<string>("document.body.innerText");
    expect([name, text.includes("Secrets")]).toEqual([name, !/one store|tenant/.test(name)]);
    const writes = (await buttonsOf(page)).filter((word) => WRITES.test(word));
    expect([name, writes.length > 0]).toEqual([name, name !== "read"]);
    expect([name, writes.includes("New store")]).toEqual([name, name === "write" || name === "operator"]);
    await page.evaluate("document.querySelector('.who button').click()");
    await page.textOf('input[name="key"]');
  }
  opened.expectClean();
});

test.skipIf(lacks("chromium", chromium !== null))(
  "a key that ends while it is used leads to the field for a key, from every page",
  async () => {
    using where = place();
    await using server = await serve(where);
    const headers = { "content-type": "application/json" };
    await using opened = await openConsole(where, server.url);
    const { page } = opened;
    for (const [end, hash] of [
      ["expires", "#/keys"],
      ["is revoked", "#/health"],
      ["is revoked", "#/models"],
    ] as const) {
      const { id, key } = await makeKey(server, { name: "mine", role: "admin" });
      await page.type('input[name="key"]', key);
      await page.click('button[type="submit"]');
      await page.untilText("Sign out");
      if (end === "expires") {
        const body = JSON.stringify({ expires_at: Math.floor(Date.now() / 1000) + 2 });
        await server.request(`/v1/admin/keys/${id}`, { method: "POST", headers, body });
        await waitFor("it has expired", async () => {
          const answer = await fetch(`${server.url}/v1/me`, { headers: { authorization: `Bearer ${key}` } });
          return answer.status === 401 || undefined;
        });
      } else await server.request(`/v1/admin/keys/${id}`, { method: "DELETE" });
      await page.evaluate(`location.hash = ${JSON.stringify(hash)}`);
      await page.untilText("You were signed out");
      expect([hash, await page.evaluate<number>("sessionStorage.length")]).toEqual([hash, 0]);
      await page.evaluate('location.hash = "#/stores"');
    }
    opened.expectClean(/401/);
  },
);
