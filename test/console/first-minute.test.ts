/** From an empty directory to a marked passage, without a key being typed. */
import { join } from "node:path";
import { expect, test } from "bun:test";
import { place, run } from "../e2e/binary.ts";
import { chromium, openPage } from "../e2e/browser.ts";
import { lacks } from "../helpers/lacks.ts";
import { waitFor } from "../helpers/wait.ts";
import { files } from "./console.ts";

/** `lectern serve` as a person starts it, on a terminal. */
function serveOnTerminal(cwd: string, data: string, env: Record<string, string>) {
  let screen = "";
  const decoder = new TextDecoder();
  const child = Bun.spawn([join(cwd, "lectern"), "serve", "--port", "0", "--data", data], {
    cwd,
    env,
    terminal: { cols: 200, rows: 50, data: (_, bytes) => void (screen += decoder.decode(bytes)) },
  });
  const stop = async () => {
    child.kill("SIGTERM");
    await child.exited;
  };
  return { screen: () => screen, [Symbol.asyncDispose]: stop };
}

test.skipIf(lacks("chromium", chromium !== null))(
  "the link of the terminal signs in; files are dropped, searched and read",
  async () => {
    using where = place();
    const env = { HOME: where.home, TMPDIR: where.tmp, PATH: "/usr/bin:/bin", TERM: "xterm" };
    await using server = serveOnTerminal(where.cwd, where.data, env);
    const link = await waitFor("the link is printed", () => /http:\S+#code=[\w-]{22}/.exec(server.screen())?.[0]);
    const url = link.replace(/\/console\/.*/, "");
    await using page = await openPage(where);
    await page.view({ width: 1100, height: 800 });
    await page.open(link);
    await page.untilText("Make your first store");
    // The code is gone from the address, and in nothing that was asked for.
    expect(await page.evaluate<string>("location.href")).toBe(`${url}/console/`);
    expect(page.requests().filter((one) => /code=/.test(one) && !one.startsWith(`${url}/console/#code`))).toEqual([]);

    const [folder] = files(where.tmp, { "papers/returns.md": RETURNS, "papers/sub/travel.txt": TRAVEL });
    const [broken = ""] = files(where.tmp, { "broken.pdf": "%PDF-1.7\nnothing of a document" });
    await page.type('input[name="name"]', "Support");
    await page.drop([join(folder ?? "", ".."), broken]);
    await page.untilText("2 done, 1 failed");
    await page.untilText("returns.md");
    // A failure stays, with its reason and another try.
    expect(await page.textOf("tr.fixed .bad")).toMatch(/\w{3}/);
    await page.untilText("Try all failed again");

    await page.click('a[href$="/playground"]');
    await page.type('input[name="query"]', "how many days to send goods back");
    await page.click('form[role="search"] button[type="submit"]');
    expect(await page.textOf(".hits li:first-child .passage mark")).toMatch(/^(days|send|goods|back)$/i);
    await page.press("j");
    await page.press("Enter");
    expect(await page.textOf(".text mark")).toContain("sent back within thirty days");
    expect(await page.evaluate<string>("location.hash")).toMatch(/\/files\/file-\w+\?chunk=\d+$/);

    expect(page.failures()).toEqual([]);
    expect(page.requests().filter((one) => !one.startsWith(url) && !/^(data|about):/.test(one))).toEqual([]);

    // The link worked once; `lectern open` makes another.
    await page.evaluate("sessionStorage.clear()");
    await page.open("about:blank");
    await page.open(link);
    await page.untilText("used already");
    const opened = await run(where, ["open", "--print", "--data", where.data]);
    expect(opened).toMatchObject({ code: 0, err: "" });
    await page.open("about:blank");
    await page.open(opened.out.trim());
    await page.untilText("Support");
  },
);

const RETURNS = `# Returns

Goods may be sent back within thirty days. The customer pays the postage, unless the goods were broken when they came.
`;
const TRAVEL = "Employees travel by train. Flights are booked where the journey by train takes more than six hours.\n";
