/**
 * A hosted embedding model behind one of the dialects: batches within the provider's limits, tries again where that can
 * help, waits as long as the provider asks, counts tokens and cost, and gives every failure a type.
 *
 * Nothing of a text is left out: a text that is too long for the model is cut into several windows, at first by an
 * estimate, and further where the provider still refuses it.
 */
import type { EmbeddedText, EmbedFailure, EmbedKind, EmbeddingProvider, EmbedResult, ModelInfo } from "../provider.ts";
import { embedFailure } from "../provider.ts";
import { normaliseRow } from "../vectors.ts";
import { classify, failureOf, isQuotaUsedUp } from "./classify.ts";
import type { Dialect, DialectAnswer, DialectError } from "./dialect.ts";
import type { HttpAccess } from "./http.ts";
import { postJson } from "./http.ts";
import { Pace } from "./pace.ts";
import { backoffMs, headerWaitMs, pause, usedUpWaitMs } from "./retry.ts";
import { cutText, estimateTokens, splitText } from "./text-windows.ts";
import { tracedCall } from "../../platform/tracing.ts";

export interface RemoteOptions {
  info: ModelInfo;
  dialect: Dialect;
  /** The model's name at the provider. */
  model: string;
  /** Base address, without a slash at its end. */
  address: string;
  apiKey: string;
  access: HttpAccess;
  /** Size to ask the provider for, or null where the model has only one. */
  askDimensions: number | null;
  usdPerMillionTokens: number | null;
  limits?: Partial<RemoteLimits> | undefined;
  /** Injected in tests. */
  wait?: ((ms: number, signal: AbortSignal) => Promise<void>) | undefined;
  now?: (() => number) | undefined;
  random?: (() => number) | undefined;
}

export interface RemoteLimits {
  /** Texts and estimated tokens of one request; the dialect's where not set. */
  texts: number;
  tokens: number;
  /** Requests for passages at the same time. */
  requests: number;
  /** Attempts of one request; a query waits for a person, so it is given up sooner. */
  passageAttempts: number;
  queryAttempts: number;
  passageTimeoutMs: number;
  queryTimeoutMs: number;
  /** A longer pause than this is not waited for: the caller is told when to come back. */
  passageMaxWaitMs: number;
  queryMaxWaitMs: number;
  maxAnswerBytes: number;
  backoffBaseMs: number;
  backoffCapMs: number;
}

/** A text this short is not too long for any model: something else is wrong. */
const SHORTEST_CUT = 32;

/** Values of all vectors of one answer: reading more would hold the thread, on which searches wait, for over 5 ms. */
const VALUES_OF_AN_ANSWER = 1 << 17;

const DEFAULT_LIMITS: Omit<RemoteLimits, "texts" | "tokens"> = {
  requests: 8,
  passageAttempts: 6,
  queryAttempts: 3,
  passageTimeoutMs: 60_000,
  queryTimeoutMs: 15_000,
  passageMaxWaitMs: 60_000,
  queryMaxWaitMs: 3000,
  maxAnswerBytes: 64 << 20,
  backoffBaseMs: 500,
  backoffCapMs: 20_000,
};

/** What has been used since the start; rises only. */
export interface RemoteUsage {
  requests: number;
  retries: number;
  failures: number;
  texts: number;
  /** As the provider counts, or estimated where it does not say. */
  tokens: number;
  costUsd: number | null;
}

/** A window of a text. */
interface Piece {
  text: number;
  content: string;
  /** Estimated, then as the provider counted. */
  tokens: number;
  /** Only pieces of one group are sent together; parts of a batch that was too long are groups of their own. */
  group: number;
}

export class RemoteProvider implements EmbeddingProvider {
  readonly model: ModelInfo;
  readonly #options: RemoteOptions;
  readonly #limits: RemoteLimits;
  readonly #usage: Omit<RemoteUsage, "costUsd"> = { requests: 0, retries: 0, failures: 0, texts: 0, tokens: 0 };
  readonly #now: () => number;
  readonly #pace: Pace;
  /** Until then the provider has said that its allowance is used up. */
  #notBefore = 0;
  #groups = 0;

  constructor(options: RemoteOptions) {
    this.model = options.info;
    this.#options = options;
    const { tokens } = options.dialect.limits;
    const readable = Math.max(1, Math.floor(VALUES_OF_AN_ANSWER / options.info.dimensions));
    const texts = Math.min(options.dialect.limits.texts, readable);
    this.#limits = { ...DEFAULT_LIMITS, texts, tokens, ...options.limits };
    this.#pace = new Pace(this.#limits.requests);
    this.#now = options.now ?? Date.now;
  }

  usage(): RemoteUsage {
    const price = this.#options.usdPerMillionTokens;
    return { ...this.#usage, costUsd: price === null ? null : (this.#usage.tokens / 1e6) * price };
  }

  /** Base address, without a slash at its end. */
  get address(): string {
    return this.#options.address;
  }

  /** List price, or what the operator says; null where nobody knows. */
  get usdPerMillionTokens(): number | null {
    return this.#options.usdPerMillionTokens;
  }

  /** Texts of one request, and requests at the same time, at most. */
  get batching(): Pick<RemoteLimits, "texts" | "requests"> {
    return this.#limits;
  }

  /** Counts the texts of a new request: false for one that would be too much for it. */
  newRequest(): (text: string) => boolean {
    let texts = 0;
    let tokens = 0;
    const { passagePrefix } = this.model;
    const prefix = passagePrefix === "" ? 0 : estimateTokens(passagePrefix);
    return (text) => {
      const own = estimateTokens(text) + prefix;
      tokens += own;
      texts += Math.ceil(own / this.model.maxTokens);
      return texts <= this.#limits.texts && tokens <= this.#limits.tokens;
    };
  }

  async embed(texts: readonly string[], kind: EmbedKind, signal: AbortSignal): Promise<EmbedResult> {
    const prefix = kind === "query" ? this.model.queryPrefix : this.model.passagePrefix;
    const queue = texts.flatMap((text, i) => this.#pieces(i, prefix, text));
    const done: { piece: Piece; vector: Float32Array }[] = [];
    while (queue.length > 0) {
      const batch = this.#takeBatch(queue);
      const result = await this.#send(batch, kind, signal);
      if (result.ok) batch.forEach((piece, i) => done.push({ piece, vector: result.vectors[i] as Float32Array }));
      else if (result.failure.reason !== "too_long") return this.#failed(result.failure);
      else {
        const smaller = this.#smaller(batch);
        if (smaller === null) return this.#failed(result.failure);
        queue.unshift(...smaller);
      }
    }
    this.#usage.texts += texts.length;
    return { ok: true, texts: this.#assemble(texts.length, done) };
  }

  #failed(failure: EmbedFailure): EmbedFailure {
    this.#usage.failures++;
    return failure;
  }

  #pieces(text: number, prefix: string, content: string): Piece[] {
    // Providers refuse an empty text; a blank has no meaning either way.
    const full = content.trim() === "" ? " " : content.toWellFormed();
    const room = this.model.maxTokens - (prefix === "" ? 0 : estimateTokens(prefix));
    return splitText(full, Math.max(16, room)).map((part) => {
      return { text, content: prefix + part, tokens: estimateTokens(prefix + part), group: 0 };
    });
  }

  #takeBatch(queue: Piece[]): Piece[] {
    const batch: Piece[] = [];
    let tokens = 0;
    while (queue[0] !== undefined && batch.length < this.#limits.texts) {
      if (batch[0] !== undefined && queue[0].group !== batch[0].group) break;
      if (batch.length > 0 && tokens + queue[0].tokens > this.#limits.tokens) break;
      const piece = queue.shift() as Piece;
      batch.push(piece);
      tokens += piece.tokens;
    }
    return batch;
  }

  /** What to send instead of a batch that was too long: its halves, or halves of its only text; null when that ends. */
  #smaller(batch: Piece[]): Piece[] | null {
    const [first] = batch;
    if (first === undefined) return null;
    if (batch.length > 1) {
      const half = Math.ceil(batch.length / 2);
      this.#groups += 2;
      return batch.map((piece, i) => ({ ...piece, group: this.#groups - (i < half ? 1 : 0) }));
    }
    if (first.content.length < SHORTEST_CUT) return null;
    const halves = cutText(first.content, 2);
    if (halves.length < 2) return null;
    const group = ++this.#groups;
    return halves.map((content) => ({ text: first.text, content, tokens: estimateTokens(content), group }));
  }

  async #send(batch: Piece[], kind: EmbedKind, signal: AbortSignal): Promise<SendResult> {
    const { passageAttempts, queryAttempts, backoffBaseMs, backoffCapMs } = this.#limits;
    const attempts = kind === "query" ? queryAttempts : passageAttempts;
    let last = embedFailure("unavailable", "not tried");
    for (let attempt = 1; attempt <= attempts; attempt++) {
      const held = this.#notBefore - this.#now();
      if (held > 0 && !(await this.#waited(held, kind, signal))) return failed(this.#overloaded(held, signal));
      if (attempt > 1) this.#usage.retries++;
      const result = await this.#inTurn(batch, kind, signal);
      if (result.ok || !result.again) return result;
      last = result.failure;
      if (attempt === attempts) break;
      const asked = last.retryAfterMs ?? 0;
      const wait = Math.max(
        asked,
        backoffMs(attempt, backoffBaseMs, backoffCapMs, this.#options.random ?? Math.random),
      );
      if (!(await this.#waited(wait, kind, signal))) break;
    }
    return failed(signal.aborted ? embedFailure("aborted", "the request was aborted") : last);
  }

  /** Passages go at the provider's pace; a query does not wait behind them. */
  async #inTurn(batch: Piece[], kind: EmbedKind, signal: AbortSignal): Promise<SendResult> {
    if (kind === "query") return await this.#attempt(batch, kind, signal);
    await this.#pace.enter();
    let result: SendResult = failed(embedFailure("aborted", "the request was aborted"));
    try {
      if (!signal.aborted) result = await this.#attempt(batch, kind, signal);
      return result;
    } finally {
      this.#pace.leave(result.ok ? "answered" : result.failure.reason === "overloaded" ? "limited" : "failed");
    }
  }

  /** Waits, unless that is longer than it is worth or nobody waits any more; tells whether it did. */
  async #waited(ms: number, kind: EmbedKind, signal: AbortSignal): Promise<boolean> {
    const longest = kind === "query" ? this.#limits.queryMaxWaitMs : this.#limits.passageMaxWaitMs;
    if (ms > longest) return false;
    await (this.#options.wait ?? pause)(ms, signal);
    return !signal.aborted;
  }

  #overloaded(ms: number, signal: AbortSignal): EmbedFailure {
    if (signal.aborted) return embedFailure("aborted", "the request was aborted");
    return embedFailure("overloaded", `${this.#options.dialect.name} limits the rate`, Math.ceil(ms));
  }

  async #attempt(batch: Piece[], kind: EmbedKind, signal: AbortSignal): Promise<SendResult> {
    const { dialect, model, address, apiKey, access, askDimensions } = this.#options;
    this.#usage.requests++;
    const sent: Record<string, string> = { ...dialect.headers(apiKey) };
    const call = {
      url: new URL(`${address}/${dialect.path(model)}`),
      headers: sent,
      body: dialect.body({ model, texts: batch.map((piece) => piece.content), kind, dimensions: askDimensions }),
      signal,
      timeoutMs: kind === "query" ? this.#limits.queryTimeoutMs : this.#limits.passageTimeoutMs,
      maxAnswerBytes: this.#limits.maxAnswerBytes,
    };
    const outcome = await tracedCall("embed.remote", sent, () => postJson(call, access));
    if (outcome.kind === "aborted") return failed(embedFailure("aborted", "the request was aborted"));
    if (outcome.kind === "failure") {
      return { ok: false, again: outcome.again, failure: failureOf(dialect.name, outcome) };
    }
    const { status, headers, json } = outcome;
    if (status < 200 || status >= 300) {
      const error = withoutKey(dialect.error(json), apiKey);
      const waits = [error.retryAfterMs, headerWaitMs(headers, this.#now())].filter((ms) => typeof ms === "number");
      const wait = waits.length === 0 ? null : Math.max(...waits);
      if (status === 429 && wait !== null && !isQuotaUsedUp(error)) this.#hold(wait);
      return classify(dialect.name, status, error, wait);
    }
    const used = usedUpWaitMs(headers);
    if (used !== null) this.#hold(used);
    return this.#read(json, batch);
  }

  #hold(ms: number): void {
    this.#notBefore = Math.max(this.#notBefore, this.#now() + ms);
  }

  #read(json: unknown, batch: Piece[]): SendResult {
    const { dialect } = this.#options;
    let answer: DialectAnswer;
    try {
      answer = dialect.read(json);
    } catch (error) {
      return failed(
        embedFailure("rejected", `${dialect.name}: ${error instanceof Error ? error.message : "unreadable answer"}`),
      );
    }
    const { vectors, tokens } = answer;
    this.#usage.tokens += tokens ?? batch.reduce((sum, piece) => sum + piece.tokens, 0);
    if (vectors.length !== batch.length) {
      return failed(
        embedFailure("rejected", `${dialect.name} answered ${vectors.length} vectors for ${batch.length} texts`),
      );
    }
    const wrong = vectors.find((vector) => vector.length !== this.model.dimensions);
    if (wrong !== undefined) {
      const detail = `${dialect.name} answered vectors of ${wrong.length} dimensions, ${this.model.dimensions} are expected`;
      return failed(embedFailure("rejected", detail));
    }
    if (vectors.some((vector) => vector.every((x) => x === 0))) {
      return failed(
        embedFailure("rejected", `${dialect.name} answered a vector of zeros, which is similar to nothing`),
      );
    }
    if (tokens !== null) shareOut(tokens, batch);
    return { ok: true, vectors };
  }

  #assemble(count: number, done: { piece: Piece; vector: Float32Array }[]): EmbeddedText[] {
    const { dimensions } = this.model;
    const windows = Array.from({ length: count }, () => [] as { vector: Float32Array; tokens: number }[]);
    for (const { piece, vector } of done) windows[piece.text]?.push({ vector, tokens: piece.tokens });
    return windows.map((rows) => {
      const vectors = new Float32Array(rows.length * dimensions);
      rows.forEach(({ vector }, w) => {
        vectors.set(vector, w * dimensions);
        normaliseRow(vectors, w * dimensions, dimensions);
      });
      return { vectors, windows: rows.length, tokens: rows.reduce((sum, row) => sum + row.tokens, 0) };
    });
  }
}

/** Divides what the provider counted by what was estimated, so that the pieces add up to it. */
function shareOut(tokens: number, pieces: Piece[]): void {
  const estimated = pieces.reduce((sum, piece) => sum + piece.tokens, 0);
  let before = 0;
  let given = 0;
  for (const piece of pieces) {
    before += piece.tokens;
    piece.tokens = Math.max(1, Math.round((before * tokens) / estimated) - given);
    given += piece.tokens;
  }
}

type SendResult = { ok: true; vectors: Float32Array[] } | { ok: false; again: boolean; failure: EmbedFailure };

function failed(failure: EmbedFailure): SendResult {
  return { ok: false, again: false, failure };
}

/** A provider's words may repeat the key that it was sent; what becomes of them must not. */
export function withoutKey(error: DialectError, apiKey: string): DialectError {
  return apiKey === "" ? error : { ...error, message: error.message.replaceAll(apiKey, "(key)") };
}
