import { expect, test } from "bun:test";
import { describeFlags } from "./arguments.ts";
import { CONNECTION_FLAGS } from "./connect.ts";
import { lectern } from "./testing/command.ts";
import { VERBS as TABLE } from "./verbs.ts";

const VERBS = Object.keys(TABLE);

test("without a verb, or asked for help, every verb is listed with what it does", async () => {
  const plain = await lectern([]);
  expect(plain.status).toBe(0);
  const listed = [...plain.out.matchAll(/^ {2}([a-z]+) {2,}\w/gm)].map(([, verb]) => verb ?? "");
  expect(listed).toEqual(VERBS);
  for (const asked of [["help"], ["--help"], ["-h"]]) expect(await lectern(asked)).toEqual(plain);
});

test.each(VERBS)("help %s and %s --help are the same, and begin with how it is called", async (verb) => {
  const help = await lectern(["help", verb]);
  expect(help).toMatchObject({ status: 0, err: "" });
  expect(help.out).toStartWith(`lectern ${verb}`);
  expect(await lectern([verb, "--nonsense", "--help"])).toEqual(help);
});

test.each(
  "ingest sync search ask eval stores files status migrate promote rollback models backup keys tenants mcp".split(" "),
)("help %s names the flags that say which server", async (verb) => {
  const { out } = await lectern(["help", verb]);
  for (const line of describeFlags(CONNECTION_FLAGS).trimEnd().split("\n"))
    expect(out.replaceAll(/ +/g, " ")).toContain(line.replaceAll(/ +/g, " "));
});

test.each(VERBS)("the options that completion knows of %s are those of its help", async (verb) => {
  const { help, flags = {} } = (await TABLE[verb]?.load()) ?? { help: "" };
  const named = [...help.matchAll(/^ {2}--([a-z-]+)/gm)].map(([, name]) => name ?? "");
  expect(Object.keys(flags).toSorted()).toEqual(named.toSorted());
});

test.each([
  ["serach", "did you mean search?"],
  ["constructor", "lectern help lists them."],
  ["", "lectern help lists them."],
])("there is no verb %p", async (verb, hint) => {
  const { status, out, err } = await lectern([verb]);
  expect([status, out]).toEqual([2, ""]);
  expect(err).toBe(`lectern: There is no verb ${JSON.stringify(verb)}; ${hint}\n`);
});

test("the version is one line", async () => {
  const { out } = await lectern(["version"]);
  expect(out).toMatch(/^lectern \d+\.\d+\.\d+.*\n$/);
  expect(await lectern(["--version"])).toEqual({ status: 0, out, err: "" });
  const { version, build } = JSON.parse((await lectern(["version", "--json"])).out);
  expect([out, build]).toEqual([`lectern ${build}\n`, expect.stringContaining(version)]);
});

/** Arguments that no verb can follow: status 2 and one line, before any server is asked or started. */
test.each([
  [["ingest"], "Say what goes where"],
  [["ingest", "docs"], "Say what goes where"],
  [["search", "store"], "Say where and what"],
  [["search", "store", " "], "Say where and what"],
  [["search", "s", "q", "--limit", "51"], "--limit must be a whole number from 1 to 50"],
  [["search", "s", "q", "--mode", "fuzzy"], "--mode must be hybrid, vector or keyword"],
  [["search", "s", "q", "--filter", "draft"], "--filter takes KEY=VALUE"],
  [["search", "s", "q", "--filter", "{bad"], "--filter is not valid JSON: {bad"],
  [["search", "s", "q", "--filter", "[1]"], "--filter takes KEY=VALUE"],
  [["eval"], "Say which store"],
  [["eval", "a", "b"], "Say which store"],
  [["eval", "a", "--modes", "hybrid,fuzzy"], '--modes takes hybrid, vector and keyword, not "fuzzy"'],
  [["eval", "a", "--k", "0"], "--k must be a whole number from 1 to 50"],
  [["models"], "Say what to do: lectern models list"],
  [["models", "list", "x"], "Say what to do: lectern models list"],
  [["models", "add"], "Say what to do: lectern models list"],
  [["models", "add", "folder", "--remote"], "Say what to do: lectern models list"],
  [["models", "remove"], "Say what to do: lectern models list"],
  [["models", "remove", "a", "b"], "Say what to do: lectern models list"],
  [["ocr", "add"], "Say what to do: lectern ocr list"],
  [["ocr", "list", "eng"], "Say what to do: lectern ocr list"],
  [["ocr", "burn", "eng"], "Say what to do: lectern ocr list"],
  [["backup"], "Say where to: lectern backup FILE."],
  [["backup", "a", "b"], "Say where to: lectern backup FILE."],
  [["restore"], "Say what from: lectern restore FILE"],
  [["stores", "burn"], "Say what to do with stores"],
  [["stores", "list", "x"], "Say what to do with stores"],
  [["stores", "show"], "Say what to do with stores"],
  [["stores", "rename", "a"], "Say what to do with stores"],
  [["stores", "rename", "a", " "], "A store needs a name"],
  [["stores", "delete", "a"], "say --yes if that is meant"],
  [["files"], "Say which store and what to do"],
  [["files", "s", "burn"], "Say which store and what to do"],
  [["files", "s", "retry"], "Say which store and what to do"],
  [["files", "s", "retry", "a", "--all-failed"], "Say which store and what to do"],
  [["files", "s", "remove"], "Say which store and what to do"],
  [["files", "s", "--status", "lost"], '--status must be in_progress, completed, failed, cancelled, not "lost".'],
  [["status", "x"], "lectern status takes no words"],
  [["migrate", "s"], "Say which store and to which model"],
  [["migrate", "--model", "m"], "Say which store and to which model"],
  [["migrate", "s", "--model", "m", "--min-overlap", "2"], "--min-overlap must be a number from 0 to 1"],
  [["migrate", "s", "--model", "m", "--max-latency-ratio", "x"], "--max-latency-ratio must be a number,"],
  [["migrate", "s", "--model", "m", "--chunk-overlap", "20"], "--chunk-overlap goes with --chunk-tokens."],
  [["promote"], "Say which store: lectern promote STORE."],
  [["rollback", "a", "b"], "Say which store: lectern rollback STORE."],
  [["completion"], "Say for which shell"],
  [["completion", "tcsh"], "Say for which shell"],
  [["keys", "burn"], "Say what to do with keys: create, list, revoke."],
  [["keys", "create"], "Say which: lectern keys create NAME."],
  [["keys", "revoke"], "Say which: lectern keys revoke ID."],
  [["tenants", "burn"], "Say what to do with tenants: create, list, set, suspend, resume, delete."],
  [["tenants", "suspend"], "Say which: lectern tenants suspend NAME."],
  [["tenants", "delete", "acme"], "say --yes if that is meant"],
  [["version", "now"], "lectern version takes no words."],
  [["doctor", "--repair"], "--repair is not an option here"],
  [["serve", "--prot", "1"], "--prot"],
])("%j is refused with a sentence", async (argv, sentence) => {
  const { status, out, err } = await lectern(argv);
  expect([status, out]).toEqual([2, ""]);
  expect(err).toStartWith("lectern: ");
  expect(err).toContain(sentence);
  expect(err.trimEnd().split("\n")).toHaveLength(1);
});
