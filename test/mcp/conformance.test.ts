/** The protocol's own conformance suite, as far as it asks for what this server has. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { ROOT, startServer, TEST_KEY, type TestServer } from "../helpers/server.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const SUITE = join(ROOT, "node_modules/@modelcontextprotocol/conformance/dist/index.js");

const APPLY = ["server-initialize", "ping", "tools-list", "dns-rebinding-protection", "server-sse-multiple-streams"];

/** Why the others do not apply. */
const OTHERS: readonly [why: string, scenarios: RegExp][] = [
  ["they call tools of a test server by name", /^tools-call-|^json-schema-2020-12$/],
  ["this server asks clients for nothing", /^elicitation-/],
  ["it has no resources", /^resources-/],
  ["it has no prompts", /^prompts-/],
  ["it sends no log", /^logging-set-level$/],
  ["it completes no arguments", /^completion-complete$/],
  ["it sends no event stream that could be taken up again", /^server-sse-polling$/],
];

let server: TestServer;
let withKey: ReturnType<typeof Bun.serve>;

beforeAll(async () => {
  server = await startServer();
  // The suite has no keys: this adds one to what it sends, and changes nothing else.
  withKey = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const headers = new Headers(request.headers);
      headers.set("authorization", `Bearer ${TEST_KEY}`);
      const body = request.method === "POST" ? await request.arrayBuffer() : null;
      return await fetch(server.url + new URL(request.url).pathname, { method: request.method, headers, body });
    },
  });
}, 60_000);

afterAll(async () => {
  await withKey?.stop(true);
  await server?.[Symbol.asyncDispose]();
});

async function suite(...argv: string[]): Promise<{ code: number; output: string }> {
  using directory = tempDir();
  const child = Bun.spawn([process.execPath, SUITE, ...argv], { cwd: directory.path, stdout: "pipe", stderr: "pipe" });
  const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  return { code: await child.exited, output: out + err };
}

test("every scenario for servers is either run here or does not apply", async () => {
  const { output } = await suite("list");
  const listed = output.slice(0, output.indexOf("Client scenarios")).matchAll(/^ {2}- (\S+)/gm);
  const scenarios = [...listed].map(([, name]) => name ?? "");
  expect(scenarios.length).toBeGreaterThan(20);
  const unnamed = scenarios.filter((name) => !APPLY.includes(name) && !OTHERS.some(([, names]) => names.test(name)));
  expect(unnamed).toEqual([]);
  expect(APPLY.filter((name) => !scenarios.includes(name))).toEqual([]);
});

test.each(APPLY)("%s", async (scenario) => {
  const { code, output } = await suite(
    "server",
    "--url",
    `http://127.0.0.1:${withKey.port}/mcp`,
    "--scenario",
    scenario,
  );
  expect({ code, output: code === 0 ? "" : output }).toEqual({ code: 0, output: "" });
  expect(output).toMatch(/Passed: (\d+)\/\1, 0 failed/);
});
