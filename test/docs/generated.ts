/**
 * The parts of the documents that are made from the program, so that they cannot say anything else. In a document they
 * stand between `<!-- generated: NAME -->` and `<!-- /generated -->`; `make docs` writes them, a test compares them.
 */
import { describeSettings } from "../../src/config/config.ts";
import { ALL_METRICS } from "../../src/app/metric-list.ts";
import { runVerb } from "../../src/cli/verbs.ts";
import { NO_TERMINAL, type Terminal } from "../../src/cli/terminal.ts";
import { ERROR_CODES } from "../../src/errors.ts";
import { statusOf } from "../../src/http/plugins/errors.ts";
import { KNOWN_MODELS } from "../../src/embed/known-models.ts";
import { HALL, ROOMS } from "../rooms.ts";

/** `GET /docs/json` of a server, as much as is read here. */
export interface ApiDocument {
  paths: Record<string, Record<string, { tags?: string[]; summary?: string }>>;
}

type Part = (api: ApiDocument) => string | Promise<string>;

const PARTS: Readonly<Record<string, Part>> = { settings, verbs, metrics, errors, operations, dimensions, rooms };

const MARKED = /(<!-- generated: ([a-z-]+) -->\n\n)[^]*?(<!-- \/generated -->)/g;

/** The document with its generated parts as they should be. */
export async function withGenerated(text: string, api: ApiDocument): Promise<string> {
  let result = text;
  for (const [whole, open = "", name = "", close = ""] of text.matchAll(MARKED)) {
    const part = PARTS[name];
    if (part === undefined) throw new Error(`no part is called ${name}`);
    const made = await part(api);
    result = result.replace(whole, () => `${open}${made}\n${close}`);
  }
  return result;
}

/** The formatter pads the cells of tables. */
export function unpadded(text: string): string {
  return text.replace(/ +\|/g, " |").replace(/-{3,}/g, "---");
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const row = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |\n`;
  return row(head) + row(head.map(() => "---")) + rows.map(row).join("");
}

const code = (text: string) => `\`${text}\``;

function settings(): string {
  const rows = describeSettings();
  const groups = [...new Set(rows.map(({ group }) => group))];
  return groups
    .map((group) => {
      const cells = rows
        .filter((row) => row.group === group)
        .map((row) => [
          code(`--${row.option}`) + (row.reload ? " †" : ""),
          row.help,
          row.default,
          row.env.split(", ").map(code).join(", "),
        ]);
      return `### ${group}\n\n${table(["option", "meaning", "default", "environment"], cells)}`;
    })
    .join("\n");
}

async function verbs(): Promise<string> {
  const list = await said(["help"]);
  const names = [...list.matchAll(/^ {2}(\w+) {2,}\S/gm)].map(([, name = ""]) => name);
  const explained = names.filter((name) => !["serve", "help", "version"].includes(name));
  const sections = await Promise.all(
    explained.map(async (name) => `## lectern ${name}\n\n\`\`\`text\n${(await said(["help", name])).trim()}\n\`\`\`\n`),
  );
  return `\`\`\`text\n${list.trim()}\n\`\`\`\n\n${sections.join("\n")}`;
}

async function said(argv: string[]): Promise<string> {
  let text = "";
  const terminal: Terminal = { ...NO_TERMINAL, columns: 100, out: (piece) => void (text += piece) };
  await runVerb(argv, terminal);
  return text;
}

function metrics(): string {
  return table(
    ["metric", "meaning"],
    ALL_METRICS.map(({ name, help }) => [code(name), help]),
  );
}

function errors(): string {
  return [...Map.groupBy(ERROR_CODES, statusOf)]
    .toSorted(([a], [b]) => a - b)
    .map(([status, codes]) => `- **${status}**: ${codes.map(code).join(", ")}\n`)
    .join("");
}

function operations({ paths }: ApiDocument): string {
  const all = Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, { tags, summary }]) => ({
      tag: tags?.[0] ?? "",
      cells: [code(`${method.toUpperCase()} ${path}`), summary ?? ""],
    })),
  );
  return [...Map.groupBy(all, ({ tag }) => tag)]
    .map(
      ([tag, list]) =>
        `### ${tag}\n\n${table(
          ["request", "does"],
          list.map(({ cells }) => cells),
        )}`,
    )
    .join("\n");
}

function dimensions(): string {
  return table(
    ["name", "provider", "dimensions there", "shorter ones there", "tokens of a text there"],
    KNOWN_MODELS.map(({ name, provider, dimensions, matryoshka, matryoshkaExact, maxTokens }) => [
      code(name),
      provider,
      String(dimensions),
      matryoshka === null ? "no" : matryoshkaExact ? matryoshka.join(", ") : "any",
      String(maxTokens),
    ]),
  );
}

function rooms(): string {
  const folders = ROOMS.map(({ name, floor, duty, uses }) => ({
    name: `${name}/`,
    floor,
    duty,
    uses: uses.join(", "),
  }));
  const files = HALL.map(({ file, floor, duty }) => ({ name: file, floor, duty, uses: floor === 0 ? "" : "any" }));
  const rows = [...files, ...folders].toSorted((a, b) => b.floor - a.floor);
  return table(
    ["floor", "room", "duty", "may import"],
    rows.map(({ name, floor, duty, uses }) => [String(floor), code(name), duty, uses]),
  );
}
