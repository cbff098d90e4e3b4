import { expect, test } from "bun:test";
import { describeFlags, integerFlag, parseArguments } from "./arguments.ts";
import type { Flags } from "./arguments.ts";

const FLAGS = {
  store: { value: "NAME", help: "the store" },
  json: { help: "as JSON" },
  include: { value: "GLOB", help: "only these", many: true },
} as const satisfies Flags;

test("words and flags may be mixed, -- ends the flags", () => {
  const args = parseArguments(
    ["a", "--store", "s", "b", "--include=*.md", "--include", "*.txt", "--", "--json"],
    FLAGS,
  );
  expect(args.words).toEqual(["a", "b", "--json"]);
  expect(args.get("store")).toBe("s");
  expect(args.all("include")).toEqual(["*.md", "*.txt"]);
  expect(args.has("json")).toBe(false);
});

test("a value may look like a flag, and what begins with one dash is a word", () => {
  const args = parseArguments(["--store", "--json", "-", "-5", "-abc=d", "-s", "--include="], FLAGS);
  expect(args.words).toEqual(["-", "-5", "-abc=d", "-s"]);
  expect([args.get("store"), args.has("json"), args.all("include")]).toEqual(["--json", false, [""]]);
});

test.each([
  [["--constructor"], "--constructor is not an option here; it takes --store, --json, --include."],
  [["--no-json"], "--no-json is not an option here; it takes --store, --json, --include."],
  [["--stroe", "s"], "--stroe is not an option here; did you mean --store?"],
  [["--zzzzzz"], "--zzzzzz is not an option here; it takes --store, --json, --include."],
  [["--store"], "--store needs a value: --store NAME."],
  [["--store=a", "--store=b"], "--store is given twice with different values."],
])("%j is refused", (argv, message) => {
  expect(() => parseArguments(argv, FLAGS)).toThrow(message);
});

test.each(["0", "51", "1.5", "", "x", "-1"])("%p is not a number from 1 to 50", (text) => {
  expect(() => integerFlag("limit", text, 5, 1, 50)).toThrow("--limit must be a whole number from 1 to 50");
});

test("help shows every flag", () => {
  expect(describeFlags(FLAGS)).toBe(
    "  --store NAME    the store\n  --json          as JSON\n  --include GLOB  only these (may be repeated)\n",
  );
});
