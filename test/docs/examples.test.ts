/** The example programs of docs/examples, run as they stand against a server. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { plainEnv, ROOT, runLectern, startServer } from "../helpers/server.ts";
import type { TestServer } from "../helpers/server.ts";
import { missingModules, PYTHON } from "./python.ts";
import { lacks } from "../helpers/lacks.ts";

const HANDBOOK = join(ROOT, "docs/examples/handbook");
const KEY = "sk-examples-0123456789abcdef";

let server: TestServer;
beforeAll(async () => {
  server = await startServer({ env: { LECTERN_API_KEY: KEY } });
});
afterAll(async () => await server[Symbol.asyncDispose]());

async function run(program: string, words: readonly string[] = [], env: Record<string, string> = {}): Promise<string> {
  const child = Bun.spawn({
    cmd: [program.endsWith(".py") ? PYTHON : process.execPath, join(ROOT, "docs/examples", program), ...words],
    cwd: ROOT,
    env: plainEnv({ LECTERN_URL: server.url, LECTERN_API_KEY: KEY, ...env }),
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err, status] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  expect({ status, err }).toMatchObject({ status: 0 });
  return out;
}

/** A test of a Python program, skipped by name where a package of it is missing. */
async function pythonTest(program: string, check: (out: string) => void): Promise<void> {
  const missing = missingModules(await Bun.file(join(ROOT, "docs/examples", program)).text());
  if (missing.length > 0)
    test.skipIf(lacks(`the Python package ${missing.join(", ")}`, missing.length === 0))(program, async () =>
      check(await run(program)),
    );
}

const expectSearch = (out: string) => {
  expect(out).toStartWith("5 of 5 files indexed\n");
  expect(out).toMatch(/^0\.\d+ travel\.docx$/m);
};
const expectBread = (out: string) => expect(out).toMatch(/^0\.\d+ Bread needs flour, water, salt and time\.$/m);

test("search.ts", async () => expectSearch(await run("search.ts", [HANDBOOK])));
test("langchain.ts", async () => expectBread(await run("langchain.ts")));
await pythonTest("search.py", expectSearch);
await pythonTest("langchain.py", expectBread);

test("answer.ts hands the passages to a chat model and lists what they are from", async () => {
  const ingested = ["ingest", HANDBOOK, "--store", "handbook", "--url", server.url, "--key", KEY];
  expect((await runLectern(ingested)).status).toBe(0);
  const asked: string[] = [];
  using chat = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const { messages } = (await request.json()) as { messages: { content: string }[] };
      asked.push(messages[0]?.content ?? "");
      return Response.json({ choices: [{ message: { role: "assistant", content: "Within fourteen days [1]." } }] });
    },
  });
  const env = { CHAT_URL: `http://127.0.0.1:${chat.port}/v1` };
  const out = await run("answer.ts", ["handbook", "how long does a refund take"], env);
  expect(out).toStartWith("Within fourteen days [1].\n[1] refunds.md\n");
  expect(asked).toEqual([expect.stringMatching(/\[1\] refunds\.md: [^]*how long does a refund take$/)]);
});
