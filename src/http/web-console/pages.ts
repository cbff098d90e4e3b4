import { bundleConsole, sourceMark } from "./bundle.ts";
import { embeddedConsole } from "./console-embedded.ts";

/**
 * The web console's files: static, without a key, since they hold no data. Everything else that the console does goes
 * through the API. The policy below makes the browser refuse whatever does not come from this server, and every way of
 * making HTML of text.
 */
export interface ConsolePages {
  /** Null for addresses that are not the console's: those are answered as before. */
  answer(request: Request, path: string): Promise<Response | null>;
}

const FOLDER = "/console/";
const PAGE = "index.html";

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

const HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy": POLICY,
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), microphone=(), geolocation=()",
};

const TYPES: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
};

type Body = Blob | Uint8Array<ArrayBuffer>;
type Files = ReadonlyMap<string, Body>;

/** @param source where the console is built from at the first request, and again when a file there has changed */
export function consolePages(source?: string): ConsolePages {
  const isEmbedded = source === undefined && Object.keys(embeddedConsole).length > 0;
  const files = isEmbedded ? embedded : fromSource(source);
  return {
    async answer(request, path) {
      if (request.method !== "GET" && request.method !== "HEAD") return null;
      if (path === "/") return asksForPage(request) ? toFolder("accept") : null;
      if (path === FOLDER.slice(0, -1)) return toFolder();
      if (!path.startsWith(FOLDER)) return null;
      const name = path === FOLDER ? PAGE : path.slice(FOLDER.length);
      const body = (await files(name === PAGE)).get(name);
      return body === undefined ? null : fileResponse(name, body);
    },
  };
}

/** What a browser's address bar sends, and no client of the API. */
function asksForPage({ headers }: Request): boolean {
  return headers.get("accept")?.includes("text/html") === true;
}

/** Relative: this server does not know below which path a proxy shows it. */
function toFolder(vary?: string): Response {
  const headers = { location: FOLDER.slice(1), "cache-control": "no-cache", ...(vary === undefined ? {} : { vary }) };
  return new Response(null, { status: 302, headers });
}

function fileResponse(name: string, body: Body): Response {
  const caching = name === PAGE ? "no-cache" : "public, max-age=31536000, immutable";
  const type = TYPES[name.slice(name.lastIndexOf(".") + 1)] ?? "application/octet-stream";
  return new Response(body, { headers: { ...HEADERS, "content-type": type, "cache-control": caching } });
}

let inside: Files | null = null;

function embedded(): Promise<Files> {
  inside ??= new Map(Object.entries(embeddedConsole).map(([name, path]) => [name, Bun.file(path)]));
  return Promise.resolve(inside);
}

function fromSource(source: string | undefined): (isPage: boolean) => Promise<Files> {
  let made: { mark: string; files: Promise<Files> } | null = null;
  return (isPage) => {
    // Only the page names other files: while it stays, so do they.
    if (made !== null && !isPage) return made.files;
    const mark = sourceMark(source);
    if (made?.mark !== mark) made = { mark, files: built(source) };
    return made.files;
  };
}

async function built(source: string | undefined): Promise<Files> {
  const files = await bundleConsole(source);
  return new Map(files.map(({ name, bytes }) => [name, bytes as Uint8Array<ArrayBuffer>]));
}
