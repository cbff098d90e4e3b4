/** The search of documents as a function that a language model can call. Stores, filters and limits are the request's. */
import { QUESTIONS } from "../search/questions.ts";
import type { ClientFunction } from "./chat-wish.ts";
import { CHAT } from "./limits.ts";

const DESCRIPTION =
  "Search the user's documents. Gives passages, each with a number to cite it by. Ask with a few words or short questions that say what is looked for.";

/** Another name where the client has a function of this one. */
export function searchName(functions: readonly ClientFunction[]): string {
  return functions.some(({ name }) => name === "file_search") ? "file_search_documents" : "file_search";
}

export function searchFunction(functions: readonly ClientFunction[]): object {
  const parameters = {
    type: "object",
    properties: {
      queries: { type: "array", items: { type: "string" }, minItems: 1, maxItems: CHAT.queries },
    },
    required: ["queries"],
  };
  return { type: "function", function: { name: searchName(functions), description: DESCRIPTION, parameters } };
}

/** Null where the arguments are none; one `query` is taken too. */
export function readQueries(text: string): string[] | null {
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch {
    return null;
  }
  if (typeof given !== "object" || given === null) return null;
  const { queries, query } = given as { queries?: unknown; query?: unknown };
  const list = Array.isArray(queries) ? queries : [queries ?? query];
  const texts = list.flatMap((one: unknown) => {
    const asked = typeof one === "string" ? one.trim().slice(0, QUESTIONS.characters).toWellFormed() : "";
    return asked === "" ? [] : [asked];
  });
  return texts.length === 0 ? null : [...new Set(texts)].slice(0, CHAT.queries);
}
