import { AppError } from "../errors.ts";

/** Stands for whatever the client calls this server: no answer depends on it. */
const ORIGIN = "http://localhost";
/** What is written before the path: nothing in most requests, a scheme and a host in those for a proxy. */
const WRITTEN_ORIGIN = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i;
/** RFC 3986's host and port. A comma is left out: two Host headers arrive joined by one. */
const HOST = /^(?:\[[0-9a-f:.]+\]|[a-z0-9._~!$&'()*+;=%-]+)(?::\d*)?$/i;
/** The header that was found right last: nearly all requests of a server have the same. */
let rightHost = "";
/** The router looks for the path from here on. */
const SHORTEST_ORIGIN = "http://abcd".length;

/**
 * The address that a request asks for. Without a Host header, as HTTP/1.0 allows, the runtime gives a bare path.
 * @throws AppError `invalid_value` for a Host header that can be no host.
 */
export function readTarget({ url, headers }: Pick<Request, "url" | "headers">): URL {
  const host = headers.get("host") ?? "";
  if (host !== rightHost && host !== "") {
    if (!HOST.test(host) || !URL.canParse(`http://${host}/`))
      throw new AppError("invalid_value", "Invalid Host header: expected one name or address, with or without a port.");
    rightHost = host;
  }
  const path = url.replace(WRITTEN_ORIGIN, "");
  return new URL(path.startsWith("/") ? ORIGIN + path : `${ORIGIN}/${path}`);
}

/** The request as the router takes it: under this address, HEAD as GET (its body is left out at the end). */
export function rewritten(original: Request, target: URL): Request {
  const { method, headers, signal, url } = original;
  if (method === "HEAD") return new Request(target.href, { method: "GET", headers, signal });
  const origin = WRITTEN_ORIGIN.exec(url)?.[0] ?? "";
  const isRoutable = origin.length >= SHORTEST_ORIGIN && url === origin + target.pathname + target.search;
  return isRoutable ? original : new Request(target.href, original as RequestInit);
}
