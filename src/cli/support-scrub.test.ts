import { expect, test } from "bun:test";
import { scrubbedLog } from "./support-log.ts";
import { createScrub } from "./support-scrub.ts";

const scrub = createScrub({ data: ["/srv/acme/data"], user: ["alice"], model: ["acme-legal", "ab"] }, "salt");

test.each([
  ["what is known, wherever it stands", "alice's /srv/acme/data is full", /^<user \w{8}>'s <data \w{8}> is full$/],
  ["names of models", "acme-legal: its files are gone", /^<model \w{8}>: its files are gone$/],
  ["not what is too short to be a name", "about abc", /^about abc$/],
  ["keys", "sk-lec-aaaaaaaaaaaaaaaa was refused", /^<key \w{8}> was refused$/],
  ["headers", "authorization: Bearer abc.def", /^authorization: <key \w{8}>$/],
  ["mail addresses", "to bob@example.org now", /^to <mail \w{8}> now$/],
  ["an address with its user", "at postgres://fred@db.example:5432/house now", /^at <address \w{8}> now$/],
  ["addresses", "https://acme.example/v1?x=1 and 10.0.0.7:8080", /^<address \w{8}> and <address \w{8}>$/],
  ["ids", "file-abcdefgh12345678 of vs_abcdefgh12345678", /^<id \w{8}> of <id \w{8}>$/],
  ["what is quoted", `the store "Merger 2027" and 'x y'`, /^the store <quote \w{8}> and <quote \w{8}>$/],
  ["paths", "cannot read /home/bob/My plan.docx", /^cannot read <path \w{8}>$/],
])("%s: %s", (_what, text, expected) => {
  expect(scrub.text(text)).toMatch(expected);
});

test("ordinary sentences stay", () => {
  const text = "3 stores, 12 files, schema version 16; read in processes of their own; network: none";
  expect(scrub.text(text)).toBe(text);
});

test("the same thing has the same mark in one archive, and another in the next", () => {
  expect(scrub.text("alice")).toBe(scrub.text("alice"));
  expect(createScrub({ user: ["alice"] }, "other").text("alice")).not.toBe(scrub.text("alice"));
});

test("of a log line numbers, times and the program's own words are kept, of an error where it came from", () => {
  const line = JSON.stringify({
    time: "2026-11-30T10:00:00.000Z",
    level: "error",
    message: `cannot read "plan.docx"`,
    route: "/v1/files/{file_id}",
    status: 500,
    filename: "plan.docx",
    user: { name: "bob" },
    cause: "Error: plan.docx is bad\n    at read (/work/src/parse/docx.ts:12:3)",
  });
  const [kept, left] = scrubbedLog(`host lectern[1]: ${line}\nplan.docx\n{"level":"x","message":"plan.docx"}`, scrub)
    .trimEnd()
    .split("\n");
  expect(JSON.parse(kept ?? "")).toEqual({
    time: "2026-11-30T10:00:00.000Z",
    level: "error",
    message: expect.stringMatching(/^cannot read <quote \w{8}>$/),
    route: "/v1/files/{file_id}",
    status: 500,
    filename: "(left out)",
    cause: "    at read docx.ts:12:3)",
  });
  expect(left).toBe("(2 other lines left out)");
});
