/** What an operator sees of the server, saves of it, and proves. */
import { expect, test } from "bun:test";
import { API_KEY, place, serve } from "../e2e/binary.ts";
import { chromium } from "../e2e/browser.ts";
import { lacks } from "../helpers/lacks.ts";
import { clickButton, indexed, faultsEverywhere, openConsole } from "./console.ts";

test.skipIf(lacks("chromium", chromium !== null))(
  "the page of the server's health tells, saves a backup and verifies a deletion",
  async () => {
    using where = place();
    await using server = await serve(where, { args: ["--offline"] });
    const { store, files } = await indexed(server, "Handbook", [{ name: "a.txt", text: "Lunch is at noon." }]);
    await server.request(`/v1/files/${files[0]}`, { method: "DELETE" });
    await using opened = await openConsole(where, server.url, API_KEY);
    const { page } = opened;
    await page.click('a[href="#/health"]');
    await page.untilText("The server is offline");
    await page.untilText(server.version);
    expect(await page.textOf('section[aria-labelledby="lanes"] tbody')).toContain("parse");
    // The end of a deletion is its first check.
    await page.untilText("● nothing");
    expect(await faultsEverywhere(page)).toEqual([]);

    // Into a file that the user chose: as it comes, held nowhere.
    await page.evaluate(`{
      globalThis.saved = { name: "", bytes: 0, closed: false, held: 0 };
      globalThis.showSaveFilePicker = async ({ suggestedName }) => {
        saved.name = suggestedName;
        return {
          createWritable: async () => new WritableStream({
            write: (chunk) => void (saved.bytes += chunk.byteLength),
            close: () => void (saved.closed = true),
          }),
        };
      };
      const make = URL.createObjectURL;
      URL.createObjectURL = (blob) => ((saved.held = blob.size), make.call(URL, blob));
    }`);
    await clickButton(page, "Back up now");
    await page.untilText("Done:");
    const saved = await page.evaluate<{ name: string; bytes: number; closed: boolean; held: number }>("saved");
    expect(saved).toMatchObject({ closed: true, held: 0 });
    expect(saved.name).toMatch(/^lectern-backup-\d{4}-\d\d-\d\d\.tar$/);
    expect(saved.bytes).toBeGreaterThan(10_000);

    // Where pages may not write to files, the browser keeps it until it is whole.
    await page.evaluate("{ globalThis.showSaveFilePicker = undefined; saved.held = 0; }");
    await clickButton(page, "Back up now");
    await page.until("it was saved whole", "saved.held > 10000");

    // A user who chooses no file is told of no failure.
    await page.evaluate(
      "{ globalThis.showSaveFilePicker = async () => { throw new DOMException('x', 'AbortError'); }; }",
    );
    await clickButton(page, "Back up now");
    await page.until("it can be tried again", "document.querySelector('.failure') === null");

    await clickButton(page, "Verify");
    await page.until(
      "it is checked",
      "!document.querySelector('section[aria-labelledby=\"deletions\"] .actions button').disabled",
    );
    expect(page.requests().filter((one) => one.endsWith("/verify")).length).toBe(1);
    await page.untilText("● nothing");
    const { data } = (await (await server.request("/v1/admin/deletions")).json()) as {
      data: { subject: { id: string }; verified_at: number | null }[];
    };
    expect(data[0]).toMatchObject({ subject: { id: files[0] }, verified_at: expect.any(Number) });

    await clickButton(page, "Show the texts");
    await page.untilText("Apache License");
    expect(await page.textOf("pre.long")).toContain("onnxruntime-node");
    expect(await faultsEverywhere(page)).toEqual([]);
    expect(store).toMatch(/^vs_/);

    // The server goes away: what is seen stays, and says that it is old.
    await server.stop();
    await clickButton(page, "Look again");
    await page.untilText("The server does not answer");
    expect(await page.textOf('section[aria-labelledby="lanes"] tbody')).toContain("parse");
    opened.expectClean(/ERR_CONNECTION|ERR_EMPTY|Failed to load/);
  },
);
