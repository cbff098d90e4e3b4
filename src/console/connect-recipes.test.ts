import { expect, test } from "bun:test";
import { type Given, recipes } from "./connect-recipes.ts";

const GIVEN: Given = {
  address: "https://docs.example/x/lectern",
  key: "sk-lec-0123",
  store: "vs_1",
  model: "lectern-embed-en",
};
const blocksOf = (id: string, given = GIVEN) => recipes(given).find((one) => one.id === id)?.blocks ?? [];

test("every program is told where the server is, with the key", () => {
  const all = recipes(GIVEN);
  expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
  for (const { id, blocks } of all) {
    const text = blocks.map((block) => block.text).join("\n");
    expect([id, text.includes(GIVEN.address), text.includes(GIVEN.key)]).toEqual([id, true, true]);
  }
});

test.each([
  [
    "claude-desktop",
    { mcpServers: { lectern: { command: "lectern", args: ["mcp"], env: expect.objectContaining({}) } } },
  ],
  ["cursor", { mcpServers: { lectern: { url: "https://docs.example/x/lectern/mcp", headers: expect.anything() } } }],
  [
    "vscode",
    {
      servers: {
        lectern: {
          type: "http",
          url: "https://docs.example/x/lectern/mcp",
          headers: { Authorization: "Bearer sk-lec-0123" },
        },
      },
    },
  ],
])("what %s reads is JSON in its form", (id, expected) => {
  expect(JSON.parse(blocksOf(id)[0]?.text ?? "")).toEqual(expected);
});

test("YAML and programs take a text that holds quotes and line ends as one text", () => {
  const odd: Given = { ...GIVEN, model: 'a"b\n- c' };
  for (const id of ["langchain", "openai"])
    for (const { text } of blocksOf(id, odd)) expect(text).not.toContain('a"b\n');
});

test("what goes into a shell is quoted", () => {
  const given = { ...GIVEN, address: "http://h/$(id)'x" };
  expect(blocksOf("claude-code", given)[0]?.text).toContain("'http://h/$(id)'\\''x/mcp'");
});
