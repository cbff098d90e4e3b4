/** `lectern mcp` where no server runs: it runs one itself while it is asked, and gives the data directory back after. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { addText, newStore } from "../helpers/api.ts";
import { LECTERN, plainEnv, startServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait.ts";

function startBridge(dataDir: string) {
  const child = Bun.spawn([...LECTERN, "mcp", "--data", dataDir], {
    env: plainEnv(),
    stdin: "pipe",
    stdout: "pipe",
    stderr: "pipe",
  });
  const lines: { id: number; result?: { tools?: unknown[]; content?: { text: string }[] } }[] = [];
  const reading = (async () => {
    let text = "";
    for await (const bytes of child.stdout) {
      text += new TextDecoder().decode(bytes);
      const whole = text.split("\n");
      text = whole.pop() ?? "";
      lines.push(...whole.map((line) => JSON.parse(line) as (typeof lines)[number]));
    }
  })();
  return {
    child,
    async ask(id: number, method: string, params: object = {}) {
      void child.stdin.write(`${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`);
      await child.stdin.flush();
      return await waitFor(`an answer to ${id}`, () => lines.find((line) => line.id === id), 120_000);
    },
    async end() {
      await child.stdin.end();
      await reading;
      return await child.exited;
    },
  };
}

test("two bridges share one data directory, a server is told who has it, and both end with their input", async () => {
  using directory = tempDir();
  const dataDir = directory.join("data");
  {
    await using server = await startServer({ dataDir });
    await addText(server, await newStore(server, { name: "handbook" }), "refunds.md", "Refunds take ten days.");
  }
  const [first, second] = [startBridge(dataDir), startBridge(dataDir)];
  const call = { name: "search", arguments: { query: "refunds" } };
  const answers = await Promise.all([first.ask(1, "tools/call", call), second.ask(1, "tools/call", call)]);
  for (const answer of answers) {
    const text = JSON.stringify(answer);
    expect(text).toContain("refunds.md");
    // Where `lectern serve` would be: the server inside is soon gone.
    expect(text).toContain("http://127.0.0.1:8080/console/#/stores/");
  }
  const { pid } = JSON.parse(readFileSync(join(dataDir, "cli.json"), "utf8")) as { pid: number };
  const refused = Bun.spawn([...LECTERN, "serve", "--port", "0", "--data", dataDir], {
    env: plainEnv(),
    stderr: "pipe",
  });
  expect(await refused.exited).not.toBe(0);
  expect(await new Response(refused.stderr).text()).toContain(`another Lectern (process ${pid}, lectern mcp, since `);

  const [holder, other] = pid === first.child.pid ? [first, second] : [second, first];
  expect(await holder.end()).toBe(0);
  expect((await other.ask(2, "tools/list")).result?.tools).toHaveLength(6);
  expect(await other.end()).toBe(0);
  // The directory is free again.
  await using server = await startServer({ dataDir });
  expect((await server.fetch("/healthz")).status).toBe(200);
}, 240_000);

test("a bridge outlives a server that is started anew", async () => {
  using directory = tempDir();
  const dataDir = directory.join("data");
  const server = await startServer({ dataDir });
  const bridge = startBridge(dataDir);
  expect((await bridge.ask(1, "tools/list")).result?.tools).toHaveLength(6);
  await server.stop();
  await using _ = await startServer({ dataDir });
  expect((await bridge.ask(2, "tools/list")).result?.tools).toHaveLength(6);
  expect(await bridge.end()).toBe(0);
}, 240_000);
