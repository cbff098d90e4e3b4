import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import { integerFlag, parseArguments } from "./arguments.ts";
import type { Flags } from "./arguments.ts";
import { storeNamed } from "./find-store.ts";
import { connect, CONNECTION_FLAGS } from "./connect.ts";
import { typedValue } from "./attributes.ts";
import { passage } from "./passage.ts";
import { fitWidth, printable, UsageError } from "./terminal.ts";
import type { Terminal } from "./terminal.ts";

export const SEARCH_FLAGS = {
  json: { help: "print the server's answer as JSON" },
  limit: { value: "N", help: "hits, 1 to 50; 5 unless set" },
  filter: { value: "KEY=VALUE", help: "only files with that attribute; or a whole filter as JSON", many: true },
  mode: { value: "MODE", help: "hybrid (unless set), vector or keyword", choices: ["hybrid", "vector", "keyword"] },
  ...CONNECTION_FLAGS,
} as const satisfies Flags;

const Hit = Type.Object({
  filename: Type.String(),
  score: Type.Number(),
  attributes: Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.Null()]),
  content: Type.Array(Type.Object({ text: Type.String() })),
  page: Type.Optional(Type.Union([Type.Integer(), Type.Null()])),
  page_end: Type.Optional(Type.Union([Type.Integer(), Type.Null()])),
  line: Type.Optional(Type.Union([Type.Integer(), Type.Null()])),
  line_end: Type.Optional(Type.Union([Type.Integer(), Type.Null()])),
  heading: Type.Optional(Type.Array(Type.String())),
});
type Hit = Static<typeof Hit>;
const Page = Type.Object({ data: Type.Array(Hit) });

const PASSAGE_LINES = 3;
const INDENT = "   ";

export async function search(argv: readonly string[], terminal: Terminal): Promise<number> {
  const args = parseArguments(argv, SEARCH_FLAGS);
  const [storeWord, ...words] = args.words;
  const query = words.join(" ").trim();
  if (!storeWord || query === "") throw new UsageError('Say where and what: lectern search STORE "words".');
  const mode = args.get("mode");
  if (mode !== undefined && !["hybrid", "vector", "keyword"].includes(mode)) {
    throw new UsageError(`--mode must be hybrid, vector or keyword, not ${JSON.stringify(mode)}.`);
  }
  const body = {
    query,
    max_num_results: integerFlag("limit", args.get("limit"), 5, 1, 50),
    ...(mode && { search_mode: mode }),
    ...readFilter(args.all("filter")),
  };

  await using connection = await connect(args, terminal, { mayCreate: false });
  const { client } = connection;
  const store = await storeNamed(client, storeWord, terminal.signal);
  const page = await client.send(Page, "POST", `/v1/vector_stores/${store.id}/search`, body, terminal.signal);
  if (args.has("json")) terminal.out(`${JSON.stringify(page, null, 2)}\n`);
  else if (page.data.length === 0) terminal.err("Nothing found.\n");
  else terminal.out(page.data.map((hit, i) => hitText(hit, i + 1, query, terminal)).join("\n"));
  return 0;
}

function hitText(hit: Hit, rank: number, query: string, terminal: Terminal): string {
  const path = hit.attributes?.["path"];
  const name = printable(typeof path === "string" ? path : hit.filename);
  const place = placeText("page", hit.page, hit.page_end) || placeText("line", hit.line, hit.line_end);
  const shownName = terminal.color ? `\x1b[1m${name}\x1b[0m` : name;
  const head = [`${rank}. ${shownName}${place && `, ${place}`}`, `score ${hit.score.toFixed(3)}`];
  const columns = Math.max(20, Math.min(terminal.columns, 100) - INDENT.length - 2);
  const heading = headingText(hit.heading ?? [], columns);
  const text = hit.content.map((part) => part.text).join("\n");
  const rows = passage(text, query, { lines: PASSAGE_LINES, columns, color: terminal.color });
  const lines = [head.filter(Boolean).join("  "), ...[heading, ...rows].filter(Boolean).map((row) => INDENT + row)];
  return lines.map((row) => `${row}\n`).join("");
}

function placeText(unit: string, first: number | null | undefined, last: number | null | undefined): string {
  if (!first) return "";
  return last && last !== first ? `${unit}s ${first}-${last}` : `${unit} ${first}`;
}

/** The innermost heading and as many of those above it as fit. */
function headingText(headings: readonly string[], columns: number): string {
  const [inner = "", ...above] = headings.map(printable).filter(Boolean).toReversed();
  let shown = fitWidth(inner, columns);
  for (const heading of above) {
    if (Bun.stringWidth(`${heading} > ${shown}`) > columns) break;
    shown = `${heading} > ${shown}`;
  }
  return shown;
}

function readObject(text: string): object {
  const value: unknown = JSON.parse(text);
  if (typeof value !== "object" || value === null) throw new SyntaxError("not an object");
  return value;
}

/** `--filter key=value` any number of times, all of which must hold, or one `--filter '{…}'`. */
function readFilter(given: readonly string[]): { filters?: object } {
  const filters = given.map((text): object => {
    if (text.trimStart().startsWith("{")) {
      try {
        return readObject(text);
      } catch {
        throw new UsageError(`--filter is not valid JSON: ${text}`);
      }
    }
    const equals = text.indexOf("=");
    if (equals < 1) throw new UsageError(`--filter takes KEY=VALUE or a filter as JSON, not ${JSON.stringify(text)}.`);
    return { type: "eq", key: text.slice(0, equals), value: typedValue(text.slice(equals + 1)) };
  });
  const [first, second] = filters;
  if (!first) return {};
  return { filters: second ? { type: "and", filters } : first };
}
