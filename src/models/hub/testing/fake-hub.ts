/**
 * A hub on this machine that speaks Hugging Face's addresses: a list of files with hashes, small files served by itself,
 * large ones by another host (another port here) that it leads to with a signed address, ranges, tokens, and faults.
 */
import { createHash } from "node:crypto";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";

export interface HubModelFiles {
  files: Record<string, Uint8Array | string>;
  /** `license` and others. */
  card?: Record<string, unknown>;
  /** What may read it; null: anybody. */
  token?: string | null;
  gated?: boolean;
}

/** What goes wrong with one answer, then no more. */
export type Fault =
  /** The connection ends after half of what was asked for. */
  | "torn"
  /** Half, and then nothing. */
  | "stalled"
  /** One byte is another. */
  | "changed"
  | "larger"
  /** A page for people. */
  | "page"
  /** From the start, whatever was asked for. */
  | "whole"
  | { status: number; headers?: Record<string, string> };

export interface Seen {
  host: "hub" | "cdn";
  method: string;
  path: string;
  authorization: string | null;
  range: string | null;
  ifRange: string | null;
}

export interface FakeHub extends AsyncDisposable {
  url: string;
  cdn: string;
  commit: string;
  models: Map<string, HubModelFiles>;
  /** By file, or "list": in the order of the requests to whichever host has the bytes. */
  faults: Map<string, Fault[]>;
  seen: Seen[];
  /** Whether the list says sizes and hashes; a mirror's may not. */
  isTerse: boolean;
  /** What large files lead to, in place of the other host. */
  leadTo: ((file: string) => string) | null;
}

export const FAKE_COMMIT = "1234567890abcdef1234567890abcdef12345678";
const LARGE = /\.(?:onnx|safetensors|onnx_data)$/;
/** An end that comes with the bytes takes them back from who has not read them yet. */
const LINGERS_MS: Record<string, number> = { torn: 100, stalled: 60_000 };
const SIGNATURE = "sig=secret-of-the-address";

export async function startFakeHub(models: Record<string, HubModelFiles>): Promise<FakeHub> {
  const hub: FakeHub = {
    url: "",
    cdn: "",
    commit: FAKE_COMMIT,
    models: new Map(Object.entries(models)),
    faults: new Map(),
    seen: [],
    isTerse: false,
    leadTo: null,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await Promise.all([own, cdn].map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
  const sockets = new Set<Socket>();
  const own = await listen(sockets, (request) => serveHub(hub, request));
  const cdn = await listen(sockets, (request) => serveCdn(hub, request));
  hub.url = addressOf(own);
  hub.cdn = addressOf(cdn);
  return hub;
}

interface Request {
  method: string;
  path: string;
  headers: Headers;
}

interface Answer {
  status: number;
  headers: Record<string, string | number>;
  /** What is sent; the headers may speak of more. */
  body: Uint8Array;
  /** The connection stays open so long when that is sent. */
  lingersMs?: number;
}

function serveHub(hub: FakeHub, request: Request): Answer {
  note(hub, "hub", request);
  const path = decodeURIComponent(new URL(request.path, hub.url).pathname);
  const listed = /^\/(?:mirror\/)?api\/models\/(.+?)\/revision\/(.+)$/.exec(path);
  const resolved = /^\/(?:mirror\/)?(.+?)\/resolve\/([^/]+)\/(.+)$/.exec(path);
  const name = listed?.[1] ?? resolved?.[1] ?? "";
  const model = hub.models.get(name);
  if (model === undefined) return refusal(404, { "x-error-code": "RepoNotFound" });
  const revision = listed?.[2] ?? resolved?.[2];
  if (revision !== "main" && revision !== "v1" && revision !== hub.commit)
    return refusal(404, { "x-error-code": "RevisionNotFound" });
  const isAllowed = (model.token ?? null) === null || request.headers.get("authorization") === `Bearer ${model.token}`;
  if (listed) {
    if (!isAllowed && model.gated !== true) return refusal(401, { "x-error-code": "RepoNotFound" });
    return listAnswer(hub, name, model);
  }
  if (!isAllowed) return refusal(model.gated === true ? 403 : 401, { "x-error-code": "GatedRepo" });
  const file = resolved?.[3] ?? "";
  const bytes = bytesOf(model.files[file]);
  if (bytes === null) return refusal(404, { "x-error-code": "EntryNotFound" });
  const told = { "x-repo-commit": hub.commit };
  if (!LARGE.test(file)) {
    const answer = fileAnswer(hub, { file, bytes, etag: `"${gitHash(bytes)}"` }, request);
    return { ...answer, headers: { ...answer.headers, ...told } };
  }
  const location = hub.leadTo?.(file) ?? `${hub.cdn}/${encodeURIComponent(name)}/${file}?${SIGNATURE}`;
  const linked = { "x-linked-etag": `"${sha256(bytes)}"`, "x-linked-size": bytes.length };
  return { status: 302, headers: { ...told, ...linked, location, "content-length": 0 }, body: new Uint8Array() };
}

function serveCdn(hub: FakeHub, request: Request): Answer {
  note(hub, "cdn", request);
  const url = new URL(request.path, hub.cdn);
  const [, name = "", part = ""] = /^\/([^/]+)\/(.+)$/.exec(url.pathname) ?? [];
  const file = decodeURIComponent(part);
  const bytes = bytesOf(hub.models.get(decodeURIComponent(name))?.files[file]);
  if (bytes === null || url.search !== `?${SIGNATURE}`) return refusal(403, {});
  return fileAnswer(hub, { file, bytes, etag: `"cdn-${sha256(bytes).slice(0, 8)}"` }, request);
}

function listAnswer(hub: FakeHub, name: string, model: HubModelFiles): Answer {
  const fault = hub.faults.get("list")?.shift();
  if (fault === "page") return page();
  if (typeof fault === "object") return refusal(fault.status, fault.headers ?? {});
  const siblings = Object.keys(model.files).map((rfilename) => {
    const bytes = bytesOf(model.files[rfilename]) ?? new Uint8Array();
    if (hub.isTerse) return { rfilename };
    const lfs = { sha256: sha256(bytes), size: bytes.length, pointerSize: 134 };
    return { rfilename, size: bytes.length, blobId: gitHash(bytes), ...(LARGE.test(rfilename) && { lfs }) };
  });
  const gated = model.gated === true ? "auto" : false;
  const text = JSON.stringify({ id: name, sha: hub.commit, gated, cardData: model.card, siblings });
  return whole(200, "application/json; charset=utf-8", text);
}

interface Served {
  file: string;
  bytes: Uint8Array;
  etag: string;
}

function fileAnswer(hub: FakeHub, { file, bytes, etag }: Served, { method, headers }: Request): Answer {
  if (method === "HEAD")
    return { status: 200, headers: { etag, "content-length": bytes.length }, body: new Uint8Array() };
  const fault = hub.faults.get(file)?.shift();
  if (typeof fault === "object") return refusal(fault.status, fault.headers ?? {});
  if (fault === "page") return page();
  const condition = headers.get("if-range");
  const isSame = condition === null || condition === etag;
  const asked = isSame && fault !== "whole" ? /^bytes=(\d+)-$/.exec(headers.get("range") ?? "")?.[1] : undefined;
  const start = asked === undefined ? 0 : Number(asked);
  if (start > 0 && start >= bytes.length) return refusal(416, {});
  let body = new Uint8Array(bytes.subarray(start));
  if (fault === "changed") body[body.length - 1] = (body.at(-1) ?? 0) ^ 1;
  if (fault === "larger") body = new Uint8Array([...body, ...new Uint8Array(1000)]);
  const range = start > 0 ? { "content-range": `bytes ${start}-${bytes.length - 1}/${bytes.length}` } : {};
  const told = { etag, "content-length": body.length, ...range };
  if (fault === "torn" || fault === "stalled") body = body.subarray(0, body.length / 2);
  return { status: start > 0 ? 206 : 200, headers: told, body, lingersMs: LINGERS_MS[String(fault)] ?? 0 };
}

function page(): Answer {
  return whole(200, "text/html", "<!doctype html><title>Sign in</title>");
}

function whole(status: number, type: string, text: string): Answer {
  const body = new TextEncoder().encode(text);
  return { status, headers: { "content-type": type, "content-length": body.length }, body };
}

function refusal(status: number, headers: Record<string, string>): Answer {
  const answer = whole(status, "text/plain", "no");
  return { ...answer, headers: { ...answer.headers, ...headers } };
}

function note(hub: FakeHub, host: Seen["host"], { method, path, headers }: Request): void {
  const [authorization, range, ifRange] = ["authorization", "range", "if-range"].map((name) => headers.get(name));
  hub.seen.push({
    host,
    method,
    path,
    authorization: authorization ?? null,
    range: range ?? null,
    ifRange: ifRange ?? null,
  });
}

function bytesOf(content: Uint8Array | string | undefined): Uint8Array | null {
  if (content === undefined) return null;
  return typeof content === "string" ? new TextEncoder().encode(content) : content;
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function gitHash(bytes: Uint8Array): string {
  return createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
}

/** By hand, and one request a connection: a server's library would not send half an answer. */
async function listen(sockets: Set<Socket>, serve: (request: Request) => Answer): Promise<Server> {
  const server = createServer((socket) => {
    sockets.add(socket);
    let head = "";
    socket.on("error", () => socket.destroy());
    socket.on("close", () => sockets.delete(socket));
    socket.on("data", (data) => {
      head += data.toString("latin1");
      if (!head.includes("\r\n\r\n")) return;
      const [first = "", ...lines] = head.split("\r\n").filter((line) => line !== "");
      const [method = "", path = ""] = first.split(" ");
      const headers = new Headers(lines.map((line) => [line.split(":")[0] ?? "", line.replace(/^[^:]*:/, "").trim()]));
      const answer = serve({ method, path, headers });
      const told = Object.entries({ ...answer.headers, connection: "close" }).map(
        ([name, value]) => `${name}: ${value}`,
      );
      socket.write([`HTTP/1.1 ${answer.status} Told`, ...told, "", ""].join("\r\n"));
      socket.write(answer.body);
      setTimeout(() => socket.end(), answer.lingersMs ?? 0).unref();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

function addressOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
