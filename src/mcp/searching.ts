import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import { MAX_FILTER_MEMBERS, type SearchBody, type SearchResult } from "../api/search/schema.ts";
import type { SearchService } from "../api/search/service.ts";
import { AppError, type ErrorCode } from "../errors.ts";
import { oneOf } from "../http/openai.ts";
import { nextTurn } from "../platform/next-turn.ts";
import { SEARCH_MODES } from "../search/ranking.ts";
import { passageId } from "./passage-id.ts";
import { askingFor, searchedStores, StoreArgument, storeOf, type Stores } from "./stores.ts";
import type { Tool, ToolCall } from "./tool.ts";

/** Characters of a question. */
const MAX_QUERY = 8192;
/** What a search of everything gives. */
const MOST_FOUND = 10;
const DEFAULT_FOUND = 8;

const Query = Type.String({ minLength: 1, maxLength: MAX_QUERY, description: "A question or words." });

/** ChatGPT's connectors know this tool by exactly these members, and those of `fetch`. */
const Search = Type.Object({ query: Query }, { additionalProperties: false });
const Found = Type.Object({
  results: Type.Array(
    Type.Object({
      id: Type.String({ description: "For fetch." }),
      title: Type.String(),
      url: Type.String({ description: "Where a person can read the passage." }),
    }),
  ),
});

const searchMembers = {
  query: Query,
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 20, default: DEFAULT_FOUND })),
  filters: Type.Optional(
    Type.Record(Type.String(), Type.Unknown(), {
      maxProperties: MAX_FILTER_MEMBERS,
      description:
        'Only files with these attributes: {"category":"support"}, or {"type":"gte","key":"year","value":2024}; ' +
        "types are eq, ne, gt, gte, lt, lte, in, nin, and and or with `filters`.",
    }),
  ),
  mode: Type.Optional(oneOf(SEARCH_MODES, { description: "Words and meaning together unless set." })),
  context_window: Type.Optional(
    Type.Integer({ minimum: 0, maximum: 5, default: 0, description: "Neighbouring passages joined on either side." }),
  ),
};
const SearchPinned = Type.Object(searchMembers, { additionalProperties: false });
const SearchStore = Type.Object({ store: StoreArgument, ...searchMembers }, { additionalProperties: false });

const Place = Type.Union([Type.Integer(), Type.Null()]);
const Passages = Type.Object({
  results: Type.Array(
    Type.Object({
      id: Type.String({ description: "For fetch, which gives the text around it." }),
      file: Type.String(),
      page: Place,
      page_end: Place,
      line: Place,
      line_end: Place,
      heading: Type.Array(Type.String(), { description: "The headings that it stands under, outermost first." }),
      score: Type.Number({ description: "0 to 1." }),
      text: Type.String(),
      url: Type.String({ description: "Where a person can read the passage: cite it." }),
    }),
  ),
});

/** A store that went, or was shut, since it was listed is left out. */
const GONE: readonly ErrorCode[] = ["vector_store_not_found", "vector_store_expired", "vector_store_suspended"];

export function searchTools(deps: { stores: Stores; search: SearchService }, isPinned: boolean): Tool[] {
  const { stores, search: searches } = deps;
  return [
    {
      name: "search",
      title: "Search",
      description:
        "Searches all documents and gives the ten best, each with an id for fetch and a url to cite. " +
        "Use search_store for the passages themselves.",
      input: Search,
      output: Found,
      async run(args, call): Promise<Static<typeof Found>> {
        const { query } = args as Static<typeof Search>;
        const body = { query, max_num_results: MOST_FOUND, max_chunks_per_file: 1 };
        const best = new Map<string, InStore>();
        for (const { id } of await searchedStores(stores, call)) {
          for (const found of await searchedIn(searches, { call, storeId: id, body, isAlone: call.store !== null })) {
            const known = best.get(found.result.file_id);
            if (known === undefined || found.result.score > known.result.score) best.set(found.result.file_id, found);
          }
          await nextTurn();
        }
        const ranked = [...best.values()].sort((a, b) => b.result.score - a.result.score).slice(0, MOST_FOUND);
        return { results: ranked.map((found) => titled(found, call)) };
      },
    },
    {
      name: "search_store",
      title: "Search a store",
      description: "Searches one store of documents and gives the best passages with their places, best first.",
      input: isPinned ? SearchPinned : SearchStore,
      output: Passages,
      async run(args, call): Promise<Static<typeof Passages>> {
        const asked = args as Static<typeof SearchPinned>;
        const store = await storeOf(stores, asked, call);
        const found = await searchedIn(searches, { call, storeId: store.id, body: bodyOf(asked), isAlone: true });
        return { results: found.map((one) => passageOf(one, call)) };
      },
    },
  ];
}

interface InStore {
  storeId: string;
  result: SearchResult;
}

/** What one store has. */
async function searchedIn(
  searches: SearchService,
  asked: { call: ToolCall; storeId: string; body: SearchBody; isAlone: boolean },
): Promise<InStore[]> {
  const { call, storeId, body, isAlone } = asked;
  try {
    const { page } = await searches.search(askingFor(call.caller, storeId), body, call.signal);
    return page.data.map((result) => ({ storeId, result }));
  } catch (error) {
    if (!isAlone && error instanceof AppError && GONE.includes(error.code)) return [];
    throw error;
  }
}

function bodyOf({ query, limit, filters, mode, context_window }: Static<typeof SearchPinned>): SearchBody {
  return {
    query,
    max_num_results: limit ?? DEFAULT_FOUND,
    ...(filters === undefined ? {} : { filters }),
    ...(mode === undefined ? {} : { search_mode: mode }),
    ...(context_window === undefined ? {} : { context_window }),
  };
}

/** How it is fetched and cited. */
function named({ storeId, result }: InStore, { links }: ToolCall): { id: string; url: string } {
  const { file_id: fileId, chunk_index: chunk = 0 } = result;
  return { id: passageId({ storeId, fileId, place: { chunk } }), url: links.passage(storeId, fileId, chunk) };
}

function passageOf(found: InStore, call: ToolCall): Static<typeof Passages>["results"][number] {
  const { filename, page, page_end, line, line_end, heading, score, content } = found.result;
  const { id, url } = named(found, call);
  return {
    id,
    file: filename,
    page: page ?? null,
    page_end: page_end ?? null,
    line: line ?? null,
    line_end: line_end ?? null,
    heading: heading ?? [],
    score,
    text: content.map(({ text }) => text).join("\n"),
    url,
  };
}

function titled(found: InStore, call: ToolCall): Static<typeof Found>["results"][number] {
  const { id, url } = named(found, call);
  return { id, title: titleOf(found.result), url };
}

/** `handbook.pdf › Refunds, p. 12` */
function titleOf({ filename, heading = [], page }: SearchResult): string {
  const inner = heading.at(-1);
  return `${filename}${inner === undefined ? "" : ` › ${inner}`}${page ? `, p. ${page}` : ""}`;
}
