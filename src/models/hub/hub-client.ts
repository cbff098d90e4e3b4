/**
 * Requests to a hub. Redirects are followed by hand: every address is checked before it is called, a connection goes to
 * the address that was checked, and the token goes to the hub's own origin alone.
 */
import { messageOf } from "../../errors.ts";
import { addressKind, addressProblem, checkAddress } from "../../embed/remote/address.ts";
import { codeOf, type HttpAccess, pinned, tlsOptions } from "../../embed/remote/http.ts";
import { backoffMs, headerWaitMs, pause } from "../../embed/remote/retry.ts";
import { type Asked, failureOf, HubError, wordsFor } from "./hub-failure.ts";
import { cardAddress, type HubName } from "./hub-name.ts";

export interface HubLimits {
  /** Of one request or file, as long as nothing new comes. */
  attempts: number;
  /** Without a byte for so long, a connection is given up. */
  stallMs: number;
  /** Before the second attempt; doubles from then on. */
  firstPauseMs: number;
  /** A hub that asks for more is told of instead. */
  longestPauseMs: number;
}

export const HUB_LIMITS: HubLimits = { attempts: 5, stallMs: 60_000, firstPauseMs: 1000, longestPauseMs: 120_000 };

export interface HubOptions {
  endpoint: URL;
  token: string | null;
  access: HttpAccess;
  limits: HubLimits;
  signal: AbortSignal;
  /** What is waited for now. */
  onPause(ms: number, why: string): void;
}

export interface HubRequest {
  url: URL;
  method: "GET" | "HEAD";
  headers: Record<string, string>;
  asked: Asked;
}

/** An answer that is a success, its body not yet read. */
export interface HubAnswer {
  status: number;
  headers: Headers;
  /** Of the hub's own answer, which may have led elsewhere: what it says of the file. */
  told: Headers;
  by: string;
  /** Pieces of the body. Rejects with a HubError where it breaks off or stalls. */
  pieces(): AsyncGenerator<Uint8Array>;
}

const MOST_REDIRECTS = 6;
/** What a hub says of a file in any of its answers, of which another host's know nothing. */
const TOLD = ["x-linked-etag", "x-linked-size", "x-repo-commit"];

export class HubClient {
  readonly endpoint: URL;
  readonly #options: HubOptions;

  constructor(options: HubOptions) {
    this.endpoint = options.endpoint;
    this.#options = options;
  }

  asked({ name, revision }: HubName, file: string | null): Asked {
    const { endpoint, token } = this.#options;
    return {
      host: endpoint.host,
      model: name,
      revision,
      card: cardAddress(endpoint, name),
      file,
      hasToken: token !== null,
    };
  }

  /** Does `work` again for as long as what fails can pass; `progress` says how far it has come, from which counting starts anew. */
  async persist<T>(work: () => Promise<T>, progress: () => number): Promise<T> {
    const { limits, signal, onPause } = this.#options;
    let furthest = progress();
    for (let attempt = 1; ; attempt++) {
      try {
        return await work();
      } catch (error) {
        signal.throwIfAborted();
        if (!(error instanceof HubError) || !error.isPassing) throw error;
        if (progress() > furthest) attempt = 1;
        furthest = Math.max(furthest, progress());
        const asked = error.retryAfterMs;
        const ms = asked ?? backoffMs(attempt, limits.firstPauseMs, limits.longestPauseMs, Math.random);
        if (attempt >= limits.attempts || ms > limits.longestPauseMs) throw error;
        onPause(ms, error.message);
        await pause(ms, signal);
        signal.throwIfAborted();
      }
    }
  }

  /** One attempt, over all redirects. Rejects with a HubError, or with the signal's reason. */
  async open(request: HubRequest): Promise<HubAnswer> {
    const { signal } = this.#options;
    const watch = new Watch(this.#options.limits.stallMs, signal);
    try {
      return await this.#follow(request, watch);
    } catch (error) {
      watch.end();
      signal.throwIfAborted();
      throw error;
    }
  }

  async #follow(request: HubRequest, watch: Watch): Promise<HubAnswer> {
    const { asked } = request;
    const told = new Headers();
    let url = request.url;
    let isOwn = true;
    for (let hop = 0; hop <= MOST_REDIRECTS; hop++) {
      // Once elsewhere, a way back is somebody else's doing.
      isOwn &&= url.origin === this.#options.endpoint.origin;
      const response = await this.#call(request, url, { isOwn, watch });
      const { status, headers } = response;
      if (isOwn) takeOver(told, headers);
      if (request.method === "HEAD" || status === 416) watch.end();
      if (status >= 200 && status < 300) return answerOf(response, { told, by: url.host, watch, asked });
      await response.body?.cancel();
      if (status === 416) return answerOf(response, { told, by: url.host, watch, asked });
      const target = status >= 300 && status < 400 ? headers.get("location") : null;
      if (target === null) {
        throw failureOf(asked, { status, headers, by: url.host, retryAfterMs: waitMs(headers) });
      }
      url = redirected(url, target);
    }
    throw new HubError(`${asked.host} leads from one address to the next for ${wordsFor(asked)}, without an end.`);
  }

  async #call(request: HubRequest, url: URL, { isOwn, watch }: { isOwn: boolean; watch: Watch }): Promise<Response> {
    const { access, token } = this.#options;
    const target = await checkAddress(url, access.policy, access.resolve);
    if (!target.ok) {
      const way = target.detail.includes("private address") ? ": --allow-private-addresses lets it be called" : "";
      throw new HubError(`${url.host} is not called: ${target.detail}${way}.`, {
        isPassing: target.isPassing === true,
      });
    }
    const headers: Record<string, string> = { ...request.headers, host: url.host, "accept-encoding": "identity" };
    if (isOwn && token !== null) {
      if (url.protocol === "http:" && addressKind(target.address) === "public")
        throw new HubError(`the token is not sent to ${url.host} for all to read: name an https address.`);
      headers["authorization"] = `Bearer ${token}`;
    }
    watch.touch();
    try {
      return await fetch(pinned(url, target.address), {
        method: request.method,
        headers,
        redirect: "manual",
        signal: watch.signal,
        tls: tlsOptions(url, access.ca),
      });
    } catch (error) {
      throw watch.failure(url.host, error);
    }
  }
}

/** Also as hubs write it: `RateLimit: "resolvers";r=0;t=55`. */
function waitMs(headers: Headers): number | null {
  const seconds = /;\s*t=(\d+)/.exec(headers.get("ratelimit") ?? "")?.[1];
  return headerWaitMs(headers, Date.now()) ?? (seconds === undefined ? null : Number(seconds) * 1000);
}

function takeOver(told: Headers, headers: Headers): void {
  for (const name of TOLD) {
    const value = headers.get(name);
    if (value !== null) told.set(name, value);
  }
}

/** Only the host is ever named: what follows it may be a signature that opens the file for anybody. */
function redirected(from: URL, location: string): URL {
  if (!URL.canParse(location, from.href)) throw new HubError(`${from.host} leads to something that is no address.`);
  const url = new URL(location, from);
  if (addressProblem(url.origin) !== null || url.username !== "" || url.password !== "")
    throw new HubError(`${from.host} leads to an address that is not followed (${url.protocol}//${url.host}).`);
  if (from.protocol === "https:" && url.protocol === "http:")
    throw new HubError(`${from.host} leads from https to http at ${url.host}, which is not followed.`);
  return url;
}

interface Answered {
  told: Headers;
  by: string;
  watch: Watch;
  asked: Asked;
}

function answerOf(response: Response, { told, by, watch, asked }: Answered): HubAnswer {
  const { status, headers } = response;
  return {
    status,
    headers,
    told,
    by,
    async *pieces() {
      try {
        if (response.body !== null) {
          for await (const piece of response.body) {
            watch.touch();
            yield piece;
          }
        }
      } catch (error) {
        if (error instanceof HubError) throw error;
        watch.parent.throwIfAborted();
        throw watch.failure(by, error, `broke off within ${wordsFor(asked)}`);
      } finally {
        watch.end();
      }
    },
  };
}

/** Gives a connection up that says nothing for a while. */
class Watch {
  readonly parent: AbortSignal;
  readonly signal: AbortSignal;
  readonly #stallMs: number;
  readonly #stalled = new AbortController();
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(stallMs: number, parent: AbortSignal) {
    this.parent = parent;
    this.#stallMs = stallMs;
    this.signal = AbortSignal.any([parent, this.#stalled.signal]);
  }

  touch(): void {
    this.end();
    this.#timer = setTimeout(() => this.#stalled.abort(), this.#stallMs);
  }

  end(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  failure(host: string, error: unknown, what = "could not be reached"): HubError {
    this.end();
    if (this.#stalled.signal.aborted)
      return new HubError(`${host} has said nothing for ${this.#stallMs / 1000} seconds.`, { isPassing: true });
    const code = codeOf(error);
    // A certificate that is wrong is wrong again.
    const isPassing = !/CERT|SSL|TLS|SELF_SIGNED|UNABLE_TO_(?:GET|VERIFY)/.test(`${code} ${messageOf(error)}`);
    return new HubError(`the connection to ${host} ${what} (${code}).`, { isPassing, cause: error });
  }
}
