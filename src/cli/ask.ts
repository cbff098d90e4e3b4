import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import { parseArguments } from "./arguments.ts";
import type { Flags } from "./arguments.ts";
import { storeNamed } from "./find-store.ts";
import { connect, CONNECTION_FLAGS } from "./connect.ts";
import { printable, UsageError } from "./terminal.ts";
import type { Terminal } from "./terminal.ts";

export const ASK_FLAGS = {
  json: { help: "print the server's answer as JSON" },
  model: { value: "NAME", help: "chat model that answers; lectern-extractive quotes only" },
  instructions: { value: "TEXT", help: "how a chat model is to answer" },
  ...CONNECTION_FLAGS,
} as const satisfies Flags;

export const ASK_HELP =
  "STORE is a name or an id. The answer goes to standard output, with a number after each statement and the sources of these\nnumbers below. Without a chat model the best passages are quoted.";

const Citation = Type.Object({
  index: Type.Integer(),
  filename: Type.String(),
  file_id: Type.String(),
  page: Type.Optional(Type.Union([Type.Integer(), Type.Null()])),
  quote: Type.Optional(Type.String()),
  cited_by: Type.Optional(Type.String()),
});
type Citation = Static<typeof Citation>;
const Answer = Type.Object({
  status: Type.String(),
  error: Type.Union([Type.Object({ message: Type.String() }), Type.Null()]),
  output: Type.Array(
    Type.Object({
      type: Type.String(),
      content: Type.Optional(
        Type.Array(
          Type.Object({ text: Type.Optional(Type.String()), annotations: Type.Optional(Type.Array(Citation)) }),
        ),
      ),
    }),
  ),
  lectern: Type.Optional(Type.Object({ warnings: Type.Array(Type.String()) })),
});

/** Prints an answer with numbered citations. */
export async function ask(argv: readonly string[], terminal: Terminal): Promise<number> {
  const args = parseArguments(argv, ASK_FLAGS);
  const [storeWord, ...words] = args.words;
  const question = words.join(" ").trim();
  if (!storeWord || question === "") throw new UsageError('Say where and what: lectern ask STORE "question".');
  const [model, instructions] = [args.get("model"), args.get("instructions")];

  await using connection = await connect(args, terminal, { mayCreate: false });
  const { client } = connection;
  const store = await storeNamed(client, storeWord, terminal.signal);
  const body = {
    input: question,
    tools: [{ type: "file_search", vector_store_ids: [store.id] }],
    store: false,
    ...(model === undefined ? {} : { model }),
    ...(instructions === undefined ? {} : { instructions }),
  };
  const answer = await client.send(Answer, "POST", "/v1/responses", body, terminal.signal);
  const parts = answer.output.flatMap(({ content }) => content ?? []);
  if (args.has("json")) terminal.out(`${JSON.stringify(answer, null, 2)}\n`);
  else {
    const sources = new Sources();
    const texts = parts.map(({ text = "", annotations = [] }) => sources.numbered(text, annotations));
    terminal.out([...texts, sources.list()].filter((text) => text !== "").join("\n\n") + "\n");
    for (const warning of answer.lectern?.warnings ?? []) terminal.err(`${printable(warning)}\n`);
    if (answer.status === "incomplete") terminal.err("The answer was cut short.\n");
  }
  return 0;
}

/** The passages that an answer cites, each under one number. What the answer quotes itself is not said there once more. */
export class Sources {
  readonly #sources = new Map<string, string>();

  /** The text with a number where each citation stands. */
  numbered(text: string, citations: readonly Citation[]): string {
    // Places count code points.
    const characters = [...text];
    let shown = "";
    let at = 0;
    for (const citation of [...citations].sort((a, b) => a.index - b.index)) {
      const words = characters.slice(at, citation.index).join("");
      at = Math.max(at, citation.index);
      const { quoted, source } = quotedIn(words, citation);
      shown += `${quoted} [${this.#numberOf(citation, source)}]`;
    }
    return linesOf(shown + characters.slice(at).join(""));
  }

  list(): string {
    return [...this.#sources.values()].map((source, i) => `[${i + 1}] ${source}`).join("\n");
  }

  #numberOf({ file_id: fileId, filename, page, quote = "" }: Citation, source: string | null): number {
    const key = JSON.stringify([fileId, page ?? null, quote]);
    if (!this.#sources.has(key)) {
      const place = page === null || page === undefined ? "" : `, page ${page}`;
      const said = quote === "" ? "" : `: “${printable(spaced(quote))}”`;
      this.#sources.set(key, source === null ? `${printable(filename)}${place}${said}` : printable(source));
    }
    return [...this.#sources.keys()].indexOf(key) + 1;
  }
}

/** A quotation with its file, page and lines after it: these belong to its number. */
function quotedIn(words: string, { quote = "", cited_by: by }: Citation): { quoted: string; source: string | null } {
  const said = `“${spaced(quote)}”`;
  const start = by === "quote" ? words.lastIndexOf(`${said}${BEFORE_SOURCE}`) : -1;
  if (start < 0) return { quoted: words, source: null };
  const end = start + said.length;
  return { quoted: words.slice(0, end), source: words.slice(end + BEFORE_SOURCE.length) };
}

const BEFORE_SOURCE = " — ";

function spaced(text: string): string {
  return text.replaceAll(/\s+/gu, " ").trim();
}

/** What a terminal may be shown: line ends stay. */
function linesOf(text: string): string {
  return text.split("\n").map(printable).join("\n").trim();
}
