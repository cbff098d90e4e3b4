/** The search that a page shows, as code to take along. The key is not in it: it is read from the environment. */
export interface Snippet {
  /** The API's address, with `/v1/`. */
  api: string;
  store: string;
  body: Record<string, unknown>;
}

export type Language = "curl" | "Python" | "TypeScript";

export function snippet(language: Language, given: Snippet): string {
  switch (language) {
    case "curl":
      return curl(given);
    case "Python":
      return python(given);
    case "TypeScript":
      return typescript(given);
  }
}

function curl({ api, store, body }: Snippet): string {
  return [
    `curl ${shell(`${api}vector_stores/${store}/search`)} \\`,
    `  -H "Authorization: Bearer $LECTERN_API_KEY" -H "Content-Type: application/json" \\`,
    `  -d ${shell(JSON.stringify(body))}`,
  ].join("\n");
}

function python({ api, store, body }: Snippet): string {
  const { own, extra } = split(body);
  const given = Object.entries(own).map(([name, value]) => `    ${name}=${pythonValue(value)},`);
  if (Object.keys(extra).length > 0) given.push(`    extra_body=${pythonValue(extra)},`);
  return [
    "import os",
    "from openai import OpenAI",
    "",
    `client = OpenAI(base_url=${JSON.stringify(api)}, api_key=os.environ["LECTERN_API_KEY"])`,
    "hits = client.vector_stores.search(",
    `    ${JSON.stringify(store)},`,
    ...given,
    ")",
    "for hit in hits:",
    "    print(hit.score, hit.filename, hit.content[0].text)",
  ].join("\n");
}

function typescript({ api, store, body }: Snippet): string {
  return [
    'import OpenAI from "openai";',
    "",
    `const client = new OpenAI({ baseURL: ${JSON.stringify(api)}, apiKey: process.env.LECTERN_API_KEY });`,
    `const body = ${JSON.stringify(body, null, 2)};`,
    `for await (const hit of client.vectorStores.search(${JSON.stringify(store)}, body as OpenAI.VectorStores.VectorStoreSearchParams)) {`,
    "  console.log(hit.score, hit.filename, hit.content[0]?.text);",
    "}",
  ].join("\n");
}

const OPENAI = ["query", "filters", "max_num_results", "ranking_options", "rewrite_query"];

function split(body: Record<string, unknown>) {
  const entries = Object.entries(body);
  return {
    own: Object.fromEntries(entries.filter(([name]) => OPENAI.includes(name))),
    extra: Object.fromEntries(entries.filter(([name]) => !OPENAI.includes(name))),
  };
}

/** In single quotes nothing is special but their end. */
function shell(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function pythonValue(value: unknown): string {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(pythonValue).join(", ")}]`;
  if (typeof value === "object")
    return `{${Object.entries(value)
      .map(([name, inner]) => `${JSON.stringify(name)}: ${pythonValue(inner)}`)
      .join(", ")}}`;
  return JSON.stringify(value);
}
