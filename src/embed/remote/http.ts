/** One POST of JSON to a provider: checked address, no redirects, bounded in time and in size. */
import { isIP } from "node:net";
import type { AddressPolicy, Resolve } from "./address.ts";
import { checkAddress } from "./address.ts";

export interface HttpRequest {
  url: URL;
  headers: Record<string, string>;
  body: unknown;
  signal: AbortSignal;
  /** From the first byte sent to the last byte received. */
  timeoutMs: number;
  maxAnswerBytes: number;
}

export type HttpOutcome =
  | { kind: "answer"; status: number; headers: Headers; json: unknown }
  /** Nothing usable came back; sending it again soon can help where `again` says so. */
  | { kind: "failure"; again: boolean; cause: FailureCause; detail: string }
  | { kind: "aborted" };

/** The other side is away; a setting is wrong here; or the answer is one that is never taken. */
export type FailureCause = "away" | "settings" | "answer";

export interface HttpAccess {
  policy: AddressPolicy;
  resolve: Resolve;
  /** Certificate authorities besides the system's, PEM. */
  ca?: string | undefined;
}

export async function postJson(request: HttpRequest, access: HttpAccess): Promise<HttpOutcome> {
  const timeout = AbortSignal.timeout(request.timeoutMs);
  const opened = await openJson({ ...request, signal: AbortSignal.any([request.signal, timeout]) }, access);
  try {
    if (opened.kind === "open") return await readAnswer(opened.response, request.maxAnswerBytes);
    if (opened.kind === "failure") return opened;
    throw timeout.reason;
  } catch (error) {
    if (request.signal.aborted) return { kind: "aborted" };
    const detail = timeout.aborted
      ? `no answer within ${request.timeoutMs} ms`
      : `the connection failed: ${codeOf(error)}`;
    return { kind: "failure", again: true, cause: "away", detail };
  }
}

export type Opened = { kind: "open"; response: Response } | Exclude<HttpOutcome, { kind: "answer" }>;

/** The same without reading what is answered: as long as the signal lives. A redirect is a failure. */
export async function openJson(
  request: Pick<HttpRequest, "url" | "headers" | "body" | "signal">,
  access: HttpAccess,
): Promise<Opened> {
  if (request.signal.aborted) return { kind: "aborted" };
  const target = await checkAddress(request.url, access.policy, access.resolve);
  if (!target.ok) {
    const cause = target.isPassing === true ? "away" : "settings";
    return { kind: "failure", again: false, cause, detail: target.detail };
  }
  try {
    const response = await fetch(pinned(request.url, target.address), {
      method: "POST",
      headers: {
        accept: "application/json",
        ...request.headers,
        "content-type": "application/json",
        host: request.url.host,
      },
      body: JSON.stringify(request.body),
      redirect: "manual",
      signal: request.signal,
      tls: tlsOptions(request.url, access.ca),
    });
    if (response.status < 300 || response.status >= 400) return { kind: "open", response };
    await response.body?.cancel();
    return {
      kind: "failure",
      again: false,
      cause: "settings",
      detail: `the provider redirects (${response.status}), which is not followed`,
    };
  } catch (error) {
    if (request.signal.aborted) return { kind: "aborted" };
    return { kind: "failure", again: true, cause: "away", detail: `the connection failed: ${codeOf(error)}` };
  }
}

async function readAnswer(response: Response, maxBytes: number): Promise<HttpOutcome> {
  const parts: Uint8Array[] = [];
  let length = 0;
  if (response.body !== null) {
    for await (const part of response.body) {
      length += part.length;
      // Leaving the loop cancels the stream, which closes the connection.
      if (length > maxBytes)
        return {
          kind: "failure",
          again: false,
          cause: "answer",
          detail: `the answer is larger than ${maxBytes} bytes`,
        };
      parts.push(part);
    }
  }
  const { status, headers } = response;
  try {
    return { kind: "answer", status, headers, json: JSON.parse(Buffer.concat(parts).toString("utf8")) };
  } catch {
    // An error page of a proxy in front of the provider has a status that tells enough.
    if (status >= 400) return { kind: "answer", status, headers, json: null };
    return { kind: "failure", again: true, cause: "away", detail: "the answer is not complete JSON" };
  }
}

/** The address that was checked takes the place of the name, so that it cannot resolve to another one meanwhile. */
export function pinned(url: URL, address: string): URL {
  const target = new URL(url);
  target.hostname = address.includes(":") ? `[${address}]` : address;
  return target;
}

/** The certificate is checked against the name, although the connection goes to an address. */
export function tlsOptions(url: URL, ca: string | undefined): { serverName?: string; ca?: string } {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  return { ...(isIP(host) === 0 ? { serverName: host } : {}), ...(ca === undefined ? {} : { ca }) };
}

/** The system's code rather than the message, which may repeat the whole address. */
export function codeOf(error: unknown): string {
  const code = error instanceof Error ? (error as { code?: unknown }).code : undefined;
  return typeof code === "string" ? code : error instanceof Error ? error.name : "unknown";
}
