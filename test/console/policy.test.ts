/** What the browser refuses, whom the page talks to, and what each key is shown. */
import { expect, test } from "bun:test";
import { API_KEY, place, serve } from "../e2e/binary.ts";
import { chromium } from "../e2e/browser.ts";
import { lacks } from "../helpers/lacks.ts";
import { faultsEverywhere, indexed, openConsole } from "./console.ts";

test.skipIf(lacks("chromium", chromium !== null))(
  "the policy refuses inline handlers and HTML from text, and the test hears of it",
  async () => {
    using where = place();
    await using server = await serve(where);
    await using opened = await openConsole(where, server.url);
    const { page } = opened;
    await page.textOf('input[name="key"]');
    opened.expectClean();
    const outcome = await page.evaluate<string>(`(() => {
    try {
      document.body.innerHTML = "<p>x";
      return "allowed";
    } catch (error) {
      return error.name;
    }
  })()`);
    expect(outcome).toBe("TypeError");
    await page.evaluate(`{
    const button = document.createElement("button");
    try { button.setAttribute("onclick", "document.title = 'run'"); } catch {}
    document.body.append(button);
    button.click();
  }`);
    expect(await page.evaluate<string>("document.title")).toBe("Lectern");
    await page.evaluate("fetch('http://127.0.0.2:9/').catch(() => 0)");
    await page.until("the violation is heard of", "true");
    expect(page.failures().join("\n")).toMatch(/Content Security Policy/);
  },
);

test.skipIf(lacks("chromium", chromium !== null))(
  "a key that reads is shown stores, documents and searches, and nothing that it may not do",
  async () => {
    using where = place();
    await using server = await serve(where);
    const { store } = await indexed(server, "Handbook", [{ name: "a.txt", text: "Lunch is at noon." }]);
    const key = async (role: string) => {
      const init = { method: "POST", headers: { "content-type": "application/json" } };
      const response = await server.request("/v1/admin/keys", { ...init, body: JSON.stringify({ name: role, role }) });
      return (await response.json()) as { id: string; key: string };
    };
    const reader = await key("read");
    await using opened = await openConsole(where, server.url, reader.key);
    const { page } = opened;
    await page.untilText("Handbook");
    const buttons = async () =>
      await page.evaluate<string[]>("[...document.querySelectorAll('main button')].map((one) => one.innerText.trim())");
    expect((await buttons()).filter((word) => /New store|Rename|Delete/.test(word))).toEqual([]);
    await page.click(`a[href*="${store}"]`);
    await page.untilText("a.txt");
    expect((await buttons()).filter((word) => /Choose|Remove|Try/.test(word))).toEqual([]);
    opened.expectClean();

    // Revoked in the middle: the next thing asked for leads to the field for a key, which says why.
    await server.request(`/v1/admin/keys/${reader.id}`, { method: "DELETE" });
    await page.click('a[href$="/playground"]');
    await page.untilText("You were signed out");
    expect(await page.evaluate<number>("sessionStorage.length")).toBe(0);
    await page.type('input[name="key"]', "sk-lec-nobody-0123456789");
    await page.click('button[type="submit"]');
    await page.untilText("not known here");
    opened.expectClean(/401/);
  },
);

test.skipIf(lacks("chromium", chromium !== null))(
  "below a path of a proxy everything works, and every page passes axe in both colours",
  async () => {
    using where = place();
    await using server = await serve(where);
    const { store, files } = await indexed(server, "Handbook", [
      {
        name: "lunch.md",
        text: "# Lunch\n\nLunch is at noon in the hall.\n",
        attributes: { year: 2026 },
      },
      { name: "rules.txt", text: "Parcels are weighed twice before they leave. ".repeat(400) },
    ]);
    using proxy = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch(request) {
        const { pathname, search } = new URL(request.url);
        if (!pathname.startsWith("/x/lectern/")) return new Response("elsewhere", { status: 404 });
        const target = `${server.url}${pathname.slice("/x/lectern".length)}${search}`;
        return fetch(new Request(target, request as RequestInit), { redirect: "manual" });
      },
    });
    const url = `http://127.0.0.1:${proxy.port}/x/lectern`;
    await using opened = await openConsole(where, url);
    const { page } = opened;
    await page.textOf('input[name="key"]');
    const faults: Record<string, string[]> = {};
    const look = async (name: string) => void (faults[name] = await faultsEverywhere(page));
    await look("sign in");
    await page.type('input[name="key"]', API_KEY);
    await page.click('button[type="submit"]');
    await page.untilText("Handbook");
    await look("stores");
    const to = async (hash: string, text: string) => {
      await page.evaluate(`location.hash = ${JSON.stringify(hash)}`);
      await page.untilText(text);
    };
    await to(`#/stores/${store}/files`, "lunch.md");
    await look("files");
    await to(`#/stores/${store}/files/${files[0]}?chunk=0`, "Chunk 0");
    await look("document");
    await to(`#/stores/${store}/playground?q=when+is+lunch`, "Copy as curl");
    await look("playground");
    await to(`#/stores/${store}/answers`, "Ask a question");
    await page.type('input[name="question"]', "When is lunch?");
    await page.click('button[type="submit"]');
    await page.untilText("Sources");
    await look("answers");
    await page.click(".cite");
    expect(await page.textOf(".text mark")).toContain("Lunch is at noon");
    expect(Object.fromEntries(Object.entries(faults).filter(([, found]) => found.length > 0))).toEqual({});
    opened.expectClean();
  },
);

test("without the console its addresses are as unknown as any other", async () => {
  using where = place();
  await using server = await serve(where, { args: ["--no-console"] });
  for (const path of ["/", "/console", "/console/", "/v1/console/session"]) {
    const response = await fetch(server.url + path, { headers: { accept: "text/html" }, redirect: "manual" });
    expect([path, response.status, response.headers.get("content-type")]).toEqual([path, 404, "application/json"]);
  }
});
