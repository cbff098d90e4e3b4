import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "bun:test";
import { storeApp } from "../../app/testing/store-app.ts";
import { tempDir } from "../../../test/helpers/temp-dir.ts";
import { type BundledFile, bundleConsole } from "./bundle.ts";
import { consolePages } from "./pages.ts";

const get = (path: string, headers: Record<string, string> = {}) => new Request(`http://localhost${path}`, { headers });

describe("the console", () => {
  test("is served without a key, under its policy, its files for ever", async () => {
    await using f = await storeApp();
    const page = await f.app.handle(get("/console/"));
    expect([page.status, page.headers.get("content-type")]).toEqual([200, "text/html; charset=utf-8"]);
    expect(page.headers.get("cache-control")).toBe("no-cache");
    expect(page.headers.get("content-security-policy")).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; " +
        "require-trusted-types-for 'script'; trusted-types 'none'",
    );
    for (const [name, value] of [
      ["x-content-type-options", "nosniff"],
      ["referrer-policy", "no-referrer"],
      ["cross-origin-opener-policy", "same-origin"],
      ["cross-origin-resource-policy", "same-origin"],
      ["permissions-policy", "camera=(), microphone=(), geolocation=()"],
    ] as const)
      expect(page.headers.get(name)).toBe(value);
    const html = await page.text();
    const files = [...html.matchAll(/(?:src|href)="\.\/([^"]+)"/g)].map(([, name = ""]) => name);
    expect(files.map((name) => name.replace(/.*\./, "")).sort()).toEqual(["css", "js", "svg"]);
    for (const name of files) {
      const file = await f.app.handle(get(`/console/${name}`));
      expect([file.status, file.headers.get("cache-control")]).toEqual([200, "public, max-age=31536000, immutable"]);
      expect(file.headers.get("content-security-policy")).toBe(page.headers.get("content-security-policy"));
    }
    // No script and no style stands in the page itself.
    expect(html).not.toMatch(/<script[^>]*>[^<]|<style|\sstyle=|\son\w+=/);
  });

  test("is where a browser's bare address leads, and a client's does not", async () => {
    await using f = await storeApp();
    const browser = await f.app.handle(get("/", { accept: "text/html,application/xhtml+xml,*/*;q=0.8" }));
    expect([browser.status, browser.headers.get("location")]).toEqual([302, "console/"]);
    const folder = await f.app.handle(get("/console"));
    expect([folder.status, folder.headers.get("location")]).toEqual([302, "console/"]);
    expect((await f.app.handle(get("/", { accept: "*/*" }))).status).toBe(404);
  });

  test.each([
    "/console/nothing.js",
    "/console/sub/",
    "/consoles/",
    "/.well-known/x",
    "/console/..%2f..%2fpackage.json",
  ])("leaves %s a JSON 404", async (path) => {
    await using f = await storeApp();
    const response = await f.app.handle(get(path, { accept: "text/html" }));
    expect([response.status, response.headers.get("content-type")]).toEqual([404, "application/json"]);
  });

  test("answers HEAD without a body, and no other method", async () => {
    await using f = await storeApp();
    const head = await f.app.handle(new Request("http://localhost/console/", { method: "HEAD" }));
    expect([head.status, await head.text()]).toEqual([200, ""]);
    expect((await f.app.handle(new Request("http://localhost/console/", { method: "POST" }))).status).toBe(404);
  });

  test("is built again when its source has changed", async () => {
    using temp = tempDir();
    mkdirSync(temp.path, { recursive: true });
    writeFileSync(join(temp.path, "main.ts"), "document.title = 'one';");
    writeFileSync(join(temp.path, "index.html"), '<!doctype html><script type="module" src="./main.ts"></script>');
    const pages = consolePages(temp.path);
    const textOf = async () => (await (await pages.answer(get("/"), "/console/"))?.text()) ?? "";
    const before = await textOf();
    expect(await textOf()).toBe(before);
    writeFileSync(join(temp.path, "main.ts"), "document.title = 'two, longer';");
    expect(await textOf()).not.toBe(before);
  });

  test("its script and style keep to their budget, and name no other place", async () => {
    const files = await bundleConsole();
    const sizeOf = (end: string, among = files) => {
      const texts = among.filter(({ name }) => name.endsWith(end)).map(({ bytes }) => bytes as Uint8Array<ArrayBuffer>);
      return texts.reduce((sum, bytes) => sum + Bun.gzipSync(bytes, { level: 9 }).length, 0);
    };
    const atOnce = scriptsAtOnce(files);
    const later = sizeOf(".js") - sizeOf(".js", atOnce);
    console.log(
      `console: ${sizeOf(".js", atOnce)} bytes of script at once, ${later} when pages are opened, ` +
        `${sizeOf(".css")} of style, gzipped`,
    );
    expect(sizeOf(".js", atOnce)).toBeLessThan(60_000);
    expect(later).toBeLessThan(30_000);
    expect(sizeOf(".css")).toBeLessThan(10_000);
    const named = files.flatMap(({ bytes }) => new TextDecoder().decode(bytes).match(/https?:\/\/[^\s"'`)<>]+/g) ?? []);
    // Names, not addresses, of XML; and what people type into a field.
    expect(named.filter((url) => !url.startsWith("http://www.w3.org/"))).toEqual([]);
  });
});

/** The script that the page names, and what it imports before it runs. */
function scriptsAtOnce(files: readonly BundledFile[]): BundledFile[] {
  const textOf = ({ bytes }: BundledFile) => new TextDecoder().decode(bytes);
  const named = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map(([, name]) => name ?? "");
  const page = files.find(({ name }) => name === "index.html");
  const found = new Set(named(page === undefined ? "" : textOf(page), /src="\.\/([^"]+\.js)"/g));
  for (const name of found) {
    const file = files.find((one) => one.name === name);
    const imports = file === undefined ? [] : named(textOf(file), /(?:from|import)"\.\/([^"]+\.js)"/g);
    for (const one of imports) found.add(one);
  }
  return files.filter(({ name }) => found.has(name));
}
