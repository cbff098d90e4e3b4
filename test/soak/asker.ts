/** Asks the server by `fetch` and by the official client; every request is counted, and what disturbed it is told apart. */
import OpenAI, { APIConnectionError, APIError } from "openai";
import { messageOf } from "../../src/errors.ts";
import { TEST_KEY } from "../helpers/server.ts";
import { waitFor } from "../helpers/wait.ts";
import type { House } from "./house.ts";
import type { Ledger } from "./ledger.ts";
import { Interrupted, Wrong } from "./wrong.ts";

const ANSWER_MS = 120_000;
/** What a server that is stopping, or has no space, answers. */
const EXCUSED = [500, 502, 503, 507];

export interface AskOptions {
  key?: string;
  headers?: Record<string, string>;
}

export class Asker {
  readonly house: House;
  readonly ledger: Ledger;
  readonly #key: string;
  /** Of this episode: names of what it makes begin with it. */
  readonly name: string;

  constructor(house: House, ledger: Ledger, name: string, key = TEST_KEY) {
    this.house = house;
    this.ledger = ledger;
    this.name = name;
    this.#key = key;
  }

  as(key: string): Asker {
    return new Asker(this.house, this.ledger, this.name, key);
  }

  /** The official client; its connections are counted too. */
  get client(): OpenAI {
    return new OpenAI({
      apiKey: this.#key,
      baseURL: `${this.house.server.url}/v1`,
      maxRetries: 0,
      fetch: (url, init) => this.#counted(String(url instanceof Request ? url.url : url), init as RequestInit),
    });
  }

  async #counted(url: string, init: RequestInit = {}): Promise<Response> {
    const started = performance.now();
    const { pathname } = new URL(url);
    let status = 0;
    try {
      const response = await fetch(url, init);
      ({ status } = response);
      return response;
    } finally {
      this.ledger.note(init.method ?? "GET", pathname, status, performance.now() - started);
    }
  }

  /** Whatever it is answered with; broken connections are thrown on. */
  async raw(method: string, path: string, body?: unknown, options: AskOptions = {}): Promise<Response> {
    await this.house.untilOpen();
    const headers = new Headers(options.headers);
    if (!headers.has("authorization")) headers.set("authorization", `Bearer ${options.key ?? this.#key}`);
    const init: RequestInit = { method, headers, signal: AbortSignal.timeout(ANSWER_MS) };
    if (body instanceof FormData || body instanceof Blob || typeof body === "string") init.body = body;
    else if (body !== undefined) {
      init.body = JSON.stringify(body);
      headers.set("content-type", "application/json");
    }
    return await this.#counted(this.house.server.url + path, init);
  }

  async text(method: string, path: string, body?: unknown, options: AskOptions = {}): Promise<string> {
    const { mark } = this.house;
    return await this.guarded(`${method} ${path}`, mark, async () => {
      const response = await this.raw(method, path, body, options);
      const text = await response.text();
      if (response.ok) return text;
      if (EXCUSED.includes(response.status) && this.house.disturbedSince(mark))
        throw new Interrupted(`${method} ${path}: ${response.status}`);
      throw new Wrong(`${method} ${path} ${JSON.stringify(body)?.slice(0, 300)}: ${response.status} ${text}`);
    });
  }

  async json<T>(method: string, path: string, body?: unknown, options: AskOptions = {}): Promise<T> {
    return JSON.parse(await this.text(method, path, body, options)) as T;
  }

  /** A request that must be refused with one of these. */
  async refused(statuses: readonly number[], method: string, path: string, body?: unknown): Promise<number> {
    const { mark } = this.house;
    return await this.guarded(`${method} ${path}`, mark, async () => {
      const response = await this.raw(method, path, body);
      const text = await response.text();
      if (statuses.includes(response.status)) return response.status;
      if (EXCUSED.includes(response.status) && this.house.disturbedSince(mark))
        throw new Interrupted(`${method} ${path}: ${response.status}`);
      throw new Wrong(`${method} ${path} was not refused with ${statuses.join()}: ${response.status} ${text}`);
    });
  }

  /** What the client does, with its errors told apart. */
  async by<T>(what: string, act: (client: OpenAI) => PromiseLike<T>): Promise<T> {
    await this.house.untilOpen();
    const { mark } = this.house;
    return await this.guarded(what, mark, async () => await act(this.client));
  }

  async guarded<T>(what: string, mark: number, act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      if (error instanceof Wrong || error instanceof Interrupted) throw error;
      if (this.house.disturbedSince(mark) && isBroken(error)) throw new Interrupted(`${what}: ${messageOf(error)}`);
      throw new Wrong(`${what}: ${error instanceof Error ? `${error.name} ${error.message}` : String(error)}`);
    }
  }

  /** Asks until there is something; a disturbance gives it more time. */
  async until<T>(what: string, probe: () => Promise<T | undefined>, timeoutMs = 180_000): Promise<T> {
    const { mark } = this.house;
    try {
      return await waitFor(what, probe, timeoutMs);
    } catch (error) {
      if (error instanceof Wrong || error instanceof Interrupted) throw error;
      if (this.house.disturbedSince(mark)) throw new Interrupted(what);
      throw new Wrong(messageOf(error));
    }
  }
}

/** A connection that broke, or an answer of a server that has to stop or has no space. */
function isBroken(error: unknown): boolean {
  if (error instanceof APIConnectionError) return true;
  if (error instanceof APIError) return error.status === undefined || EXCUSED.includes(Number(error.status));
  return error instanceof Error && !(error instanceof SyntaxError);
}
