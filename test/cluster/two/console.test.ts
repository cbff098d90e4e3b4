/** The console in a real browser over two servers on one database, of which each request goes to the other than the one before. */
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { files } from "../../console/console.ts";
import { place } from "../../e2e/binary.ts";
import { chromium, openPage } from "../../e2e/browser.ts";
import { lacks } from "../../helpers/lacks.ts";
import { startPair } from "../../helpers/pair.ts";
import { runLectern, startOne } from "../../helpers/server.ts";
import { hasPostgres } from "../servers/postgres.ts";

setDefaultTimeout(240_000);

const RETURNS = `# Returns

Goods may be sent back within thirty days. The customer pays the postage, unless the goods were broken when they came.
`;
const TRAVEL = "Employees travel by train. Flights are booked where the journey by train takes more than six hours.\n";

const IS_OVER = `document.querySelector('button[type="submit"]').disabled === false`;

describe.skipIf(lacks("PostgreSQL", hasPostgres))("two servers on one database", () => {
  test.skipIf(lacks("chromium", chromium !== null))(
    "a code of either signs in once; files are dropped, followed, searched and read; a question is answered",
    async () => {
      using where = place();
      await using pair = await startPair(startOne, { dataDir: where.data });
      await using page = await openPage(where);
      await page.view({ width: 1100, height: 800 });
      const linkOf = async (dataDir: string) => {
        const { out, status } = await runLectern(["open", "--print", "--data", dataDir]);
        expect(status).toBe(0);
        return `${pair.url}/console/${/#code=[\w-]{22}/.exec(out)?.[0]}`;
      };
      const link = await linkOf(pair.servers[0].dataDir);
      await page.open(link);
      await page.untilText("Make your first store");
      expect(await page.evaluate<string>("location.href")).toBe(`${pair.url}/console/`);

      const paths = files(where.tmp, {
        "returns.md": RETURNS,
        "travel.txt": TRAVEL,
        "broken.pdf": "%PDF-1.7\nnothing",
      });
      await page.type('input[name="name"]', "Support");
      await page.drop(paths);
      await page.untilText("2 done, 1 failed");
      await page.untilText("returns.md");
      expect(await page.textOf("tr.fixed .bad")).toMatch(/\w{3}/);

      await page.click('a[href$="/playground"]');
      for (let i = 0; i < 3; i++) {
        await page.evaluate(`document.querySelector('input[name="query"]').value = ""`);
        await page.type('input[name="query"]', `how many days to send goods back ${i}`);
        await page.click('form[role="search"] button[type="submit"]');
        await page.until("it is found", `document.querySelector(".hits li:first-child .passage mark") !== null`);
      }
      await page.press("j");
      await page.press("Enter");
      expect(await page.textOf(".text mark")).toContain("sent back within thirty days");

      const store = /#\/stores\/(\w+)\//.exec(await page.evaluate<string>("location.hash"))?.[1];
      await page.evaluate(`location.hash = "#/stores/${store}/answers"`);
      await page.untilText("Ask a question");
      for (const [i, question] of [
        "Within how many days may goods be sent back?",
        "How do employees travel?",
      ].entries()) {
        await page.type('input[name="question"]', question);
        await page.click('button[type="submit"]');
        const sources = `document.querySelectorAll(".turn:nth-child(${i + 1}) q")`;
        await page.until(`"${question}" has its sources, and is over`, `${sources}.length > 0 && ${IS_OVER}`);
      }
      expect(await page.evaluate<number>("document.querySelectorAll('.turn').length")).toBe(2);
      expect(page.failures()).toEqual([]);
      expect(page.requests().filter((one) => !one.startsWith(pair.url) && !/^(data|about):/.test(one))).toEqual([]);

      // The link worked once, whichever was asked; the other one makes another.
      await page.evaluate("sessionStorage.clear()");
      await page.open("about:blank");
      await page.open(link);
      await page.untilText("used already");
      await page.open("about:blank");
      await page.open(await linkOf(pair.servers[1].dataDir));
      await page.untilText("Support");
    },
  );
});
