/** Lines and answers of the Model Context Protocol as far as a bridge has to read them. */

/** A request: a message that is answered. */
export interface AskedMessage {
  /** As it came. */
  line: string;
  id: string | number;
  method: string;
  params: Readonly<Record<string, unknown>>;
}

export type ReadLine =
  | { type: "request"; message: AskedMessage }
  | { type: "notification" }
  /** A request that is not wanted any more. */
  | { type: "cancel"; id: string | number }
  | { type: "wrong"; answer: object };

const PARSE_ERROR = -32_700;
const INVALID_REQUEST = -32_600;
const INTERNAL_ERROR = -32_603;

export function readLine(line: string): ReadLine {
  const message = parsed(line);
  if (message === undefined) return { type: "wrong", answer: refusal(null, "Parse error: no JSON.", PARSE_ERROR) };
  const wrong = () => ({ type: "wrong", answer: refusal(idOf(message), "Invalid Request.", INVALID_REQUEST) }) as const;
  if (!isRecord(message)) return wrong();
  const { method, params: given } = message;
  if (typeof method !== "string") return wrong();
  const params = isRecord(given) ? given : {};
  const id = idOf(message);
  if (id !== null) return { type: "request", message: { line, id, method, params } };
  const { requestId } = params;
  if (method === "notifications/cancelled" && isId(requestId)) return { type: "cancel", id: requestId };
  return { type: "notification" };
}

/** What a message of the newer revisions says in headers too. None for the older ones. */
export function modernHeaders({ method, params }: AskedMessage): Record<string, string> {
  const meta = isRecord(params["_meta"]) ? params["_meta"] : {};
  const version = meta["io.modelcontextprotocol/protocolVersion"];
  if (typeof version !== "string") return {};
  const named = method === "resources/read" ? params["uri"] : params["name"];
  const isNamed = ["tools/call", "resources/read", "prompts/get"].includes(method) && typeof named === "string";
  return {
    "mcp-protocol-version": headerText(version),
    "mcp-method": headerText(method),
    ...(isNamed ? { "mcp-name": headerText(named) } : {}),
  };
}

/** What a header cannot hold as it stands goes in base64, in the protocol's way. */
function headerText(text: string): string {
  const isPlain = /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(text) && !text.startsWith("=?");
  return isPlain ? text : `=?base64?${Buffer.from(text, "utf8").toString("base64")}?=`;
}

/** The server's answer with the id of the message; a refusal of the server's is told in the message's own terms. */
export function readAnswer(
  id: string | number,
  { status, text, url }: { status: number; text: string; url: string },
): object {
  const answer = parsed(text);
  if (isRecord(answer) && answer["jsonrpc"] === "2.0" && ("result" in answer || "error" in answer))
    return { ...answer, id };
  if (status === 404) return refusal(id, `${url} serves no MCP: it is no Lectern, or an older one.`);
  return refusal(id, `${url} does not answer like Lectern (HTTP ${status}).`);
}

export function refusal(id: string | number | null, message: string, code = INTERNAL_ERROR): object {
  return { jsonrpc: "2.0", id, error: { code, message } };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function idOf(message: unknown): string | number | null {
  return isRecord(message) && isId(message["id"]) ? message["id"] : null;
}

function isId(value: unknown): value is string | number {
  return typeof value === "string" || typeof value === "number";
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
