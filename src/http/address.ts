/** First path segments of the API, served with and without `/v1`. */
export const FAMILIES: readonly string[] = [
  "files",
  "uploads",
  "vector_stores",
  "embeddings",
  "models",
  "rerank",
  "admin",
];
const PREFIXES = ["/openai/v1/", "/v1/openai/v1/"];
/** Addresses of other servers' clients. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  "/v2/rerank": "/v1/rerank",
  "/health": "/healthz",
  "/api/v1/dify/retrieval": "/dify/retrieval",
  "/v1/dify/retrieval": "/dify/retrieval",
};
const DEPLOYMENT = /^\/(?:openai|v1)\/deployments\/(.+)\/embeddings$/;

/**
 * The one address that stands for every way of writing it: other base addresses (`/openai/v1`, `/v1/openai/v1`,
 * `/openai`, none), `files_batches`, a slash at the end, doubled slashes, the id of a model or of a deployment written
 * with bare slashes.
 */
export function canonicalPath(pathname: string): string {
  let path = pathname.includes("//") ? pathname.replace(/\/{2,}/g, "/") : pathname;
  if (path.length > 1 && path.endsWith("/")) path = path.slice(0, -1);
  const longest = PREFIXES.filter((prefix) => path.startsWith(prefix)).toSorted((a, b) => b.length - a.length)[0];
  if (longest !== undefined) path = `/v1/${path.slice(longest.length)}`;
  else if (!path.startsWith("/v1/")) path = withVersion(path);
  const deployment = DEPLOYMENT.exec(path)?.[1];
  if (deployment !== undefined) return `/openai/deployments/${deployment.replaceAll("/", "%2F")}/embeddings`;
  if (path.includes("/files_batches"))
    path = path.replace(/^(\/v1\/vector_stores\/[^/]+)\/files_batches(?=\/|$)/, "$1/file_batches");
  if (Object.hasOwn(OTHER_NAMES, path)) return OTHER_NAMES[path] ?? path;
  if (path.startsWith("/v1/models/")) path = `/v1/models/${path.slice("/v1/models/".length).replaceAll("/", "%2F")}`;
  return path;
}

/** The address under `/v1` where it is written without. */
function withVersion(path: string): string {
  const [, first = "", second = ""] = path.split("/", 3);
  if (FAMILIES.includes(first)) return `/v1${path}`;
  if (first === "openai" && FAMILIES.includes(second)) return `/v1${path.slice("/openai".length)}`;
  return path;
}

/** Decoded path parameters of `path` under `pattern`, or null where it does not fit or is not valid percent-coding. */
export function pathParams(pattern: string, path: string): Record<string, string> | null {
  const names = pattern.split("/");
  const parts = path.split("/");
  if (names.length !== parts.length) return null;
  const params: Record<string, string> = {};
  for (const [i, name] of names.entries()) {
    const part = parts[i] ?? "";
    if (!name.startsWith("{")) {
      if (name !== part) return null;
      continue;
    }
    try {
      params[name.slice(1, -1)] = decodeURIComponent(part);
    } catch {
      return null;
    }
  }
  return params;
}
