/**
 * Addresses are hashes: every state that matters is in the address, so that links can be shared. A route is the page, the
 * ids on the way to it, and what its query says.
 */
export type Page =
  | "stores"
  | "files"
  | "document"
  | "playground"
  | "answers"
  | "quality"
  | "queries"
  | "model"
  | Place
  | "unknown";

/** Pages of the server rather than of a store. */
export const PLACES = ["keys", "models", "health", "connect"] as const;
export type Place = (typeof PLACES)[number];

export interface Route {
  page: Page;
  store: string;
  file: string;
  query: Readonly<Record<string, string>>;
}

const TABS: readonly Page[] = ["playground", "answers", "quality", "queries", "model"];

/** `#/stores/vs_…/files/file-…?chunk=12` */
export function parseRoute(hash: string): Route {
  const [path, search] = splitOnce(hash.replace(/^#/, ""), "?");
  const query = Object.fromEntries(new URLSearchParams(search));
  const parts = path.split("/").filter((part) => part !== "");
  const route = (page: Page, store = "", file = ""): Route => ({ page, store, file, query });
  const [first, store, tab, file, ...more] = parts.map(decoded);
  if (more.length > 0) return route("unknown");
  if (first === undefined) return route("stores");
  const place = PLACES.find((one) => one === first);
  if (place !== undefined && store === undefined) return route(place);
  if (first !== "stores") return route("unknown");
  if (store === undefined) return route("stores");
  if (tab === undefined) return route("files", store);
  if (tab === "files") return file === undefined ? route("files", store) : route("document", store, file);
  const page = TABS.find((one) => one === tab);
  return page === undefined || file !== undefined ? route("unknown") : route(page, store);
}

/** The hash of a route; what is empty in its query is left out. */
export function addressOf(route: Partial<Route> & { page: Page }): string {
  const { page, store = "", file = "", query = {} } = route;
  const filled = Object.entries(query).filter(([, value]) => value !== "");
  const search = filled.length === 0 ? "" : `?${new URLSearchParams(filled)}`;
  return `#/${pathOf(page, encodeURIComponent(store), encodeURIComponent(file))}${search}`;
}

function pathOf(page: Page, store: string, file: string): string {
  switch (page) {
    case "document":
      return `stores/${store}/files/${file}`;
    case "files":
      return `stores/${store}/files`;
    case "playground":
    case "answers":
    case "quality":
    case "queries":
    case "model":
      return `stores/${store}/${page}`;
    case "keys":
    case "models":
    case "health":
    case "connect":
      return page;
    case "stores":
    case "unknown":
      return "stores";
  }
}

/** A whole number of the query, or null. */
export function numberOf(text: string | undefined): number | null {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : null;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function splitOnce(text: string, by: string): [string, string] {
  const at = text.indexOf(by);
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}
