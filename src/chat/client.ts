/**
 * Calls of chat models: any server with `POST {address}/chat/completions`. Always asked for a stream, whatever a client
 * wants: only then do local servers stop to work when the connection is closed. Connecting is tried twice; nothing is
 * sent again once a byte came back.
 */
import { type HttpAccess, openJson } from "../embed/remote/http.ts";
import { openaiError } from "../embed/remote/openai.ts";
import type { ChatModel } from "./chat-models.ts";
import { eventData } from "./event-data.ts";
import { ChatError, refusalOf, silent, ToolsRefused, unavailable } from "./failures.ts";
import { type ChatEnd, type ChatPiece, ChunkReader } from "./pieces.ts";
import { Places } from "./places.ts";
import { Thoughts } from "./thoughts.ts";
import { tracedCall } from "../platform/tracing.ts";

export interface ChatAsker {
  tenant: string;
  signal: AbortSignal;
}

/** A body without the model's name and what is said of streams. */
export type ChatBody = Readonly<Record<string, unknown>>;

export interface ChatUse {
  model: string;
  /** `ok`, or the code of what went wrong. */
  outcome: string;
  /** Null where none came. */
  firstTokenSeconds: number | null;
  tokens: { input: number; output: number };
}

export interface ChatClientDeps {
  access: HttpAccess;
  /** To the first byte and between two. */
  silenceMs: () => number;
  onUse: (use: ChatUse) => void;
}

/** All that one call may take. */
const LONGEST_MS = 600_000;
const MOST_REFUSAL_BYTES = 64 * 1024;
const MOST_WHOLE_BYTES = 16 * 1024 * 1024;

export class ChatClient {
  readonly #deps: ChatClientDeps;
  readonly #places = new Places();

  constructor(deps: ChatClientDeps) {
    this.#deps = deps;
  }

  /** Calls that wait for a place. */
  get waiting(): number {
    return this.#places.waiting;
  }

  /**
   * Pieces of an answer as they come; returns what is known at its end. Throws ToolsRefused where tools were offered to a
   * server that takes none, else AppErrors.
   */
  async *ask(model: ChatModel, body: ChatBody, asker: ChatAsker): AsyncGenerator<ChatPiece, ChatEnd> {
    const { silenceMs, onUse } = this.#deps;
    const leave = await this.#places.enter(model, asker.tenant, { signal: asker.signal, waitMs: silenceMs() });
    const began = performance.now();
    const use: ChatUse = {
      model: model.id,
      outcome: "aborted",
      firstTokenSeconds: null,
      tokens: { input: 0, output: 0 },
    };
    const call = new OneCall(model, { ...this.#deps, silenceMs: silenceMs() }, asker.signal);
    try {
      const end = yield* timed(call.pieces(body), () => (use.firstTokenSeconds ??= (performance.now() - began) / 1000));
      use.outcome = "ok";
      use.tokens = { input: end.usage?.input ?? 0, output: end.usage?.output ?? 0 };
      return end;
    } catch (error) {
      if (!asker.signal.aborted) use.outcome = outcomeOf(error);
      throw error;
    } finally {
      call.close();
      leave();
      onUse(use);
    }
  }

  /** A client's own request, its answer as it comes; a refusal is thrown. Whoever takes the answer ends it or reads it all. */
  async pass(model: ChatModel, body: ChatBody, asker: ChatAsker): Promise<Response> {
    const { silenceMs, onUse } = this.#deps;
    const leave = await this.#places.enter(model, asker.tenant, { signal: asker.signal, waitMs: silenceMs() });
    const isStreamed = body["stream"] === true;
    // Whole answers come when they are made, after a silence as long as that takes.
    const limits = { ...this.#deps, silenceMs: isStreamed ? silenceMs() : LONGEST_MS };
    const call = new OneCall(model, limits, asker.signal);
    const use: ChatUse = { model: model.id, outcome: "ok", firstTokenSeconds: null, tokens: { input: 0, output: 0 } };
    let isOver = false;
    const over = (outcome: string) => {
      if (isOver) return;
      isOver = true;
      call.close();
      leave();
      onUse({ ...use, outcome });
    };
    try {
      const response = await call.open({ ...body, model: model.model }, { isStreamed, mayGoWithoutTools: false });
      return new Response(passedOn(call.bytes(response), over), {
        status: response.status,
        headers: kept(response.headers),
      });
    } catch (error) {
      over(asker.signal.aborted ? "aborted" : outcomeOf(error));
      throw error;
    }
  }
}

class OneCall {
  readonly #model: ChatModel;
  readonly #deps: Pick<ChatClientDeps, "access"> & { silenceMs: number };
  readonly #asked: AbortSignal;
  /** Aborts the connection: nobody waits any more, or it took too long. */
  readonly #cut = new AbortController();
  readonly #signal: AbortSignal;
  readonly #limit: Timer;
  #silence: Timer | undefined;
  #isLate = false;
  #hasBegun = false;

  constructor(model: ChatModel, deps: Pick<ChatClientDeps, "access"> & { silenceMs: number }, asked: AbortSignal) {
    this.#model = model;
    this.#deps = deps;
    this.#asked = asked;
    this.#signal = AbortSignal.any([asked, this.#cut.signal]);
    this.#limit = setTimeout(() => this.#late(), LONGEST_MS);
  }

  close(): void {
    clearTimeout(this.#limit);
    clearTimeout(this.#silence);
    this.#cut.abort();
  }

  async *pieces(body: ChatBody): AsyncGenerator<ChatPiece, ChatEnd> {
    const reader = new ChunkReader();
    const thoughts = new Thoughts();
    const asked = { ...body, model: this.#model.model, stream: true, stream_options: { include_usage: true } };
    const response = await this.open(asked, { isStreamed: true, mayGoWithoutTools: body["tools"] !== undefined });
    let isWhole = false;
    try {
      const chunks = isStream(response) ? this.#streamed(response) : this.#whole(response);
      for await (const chunk of chunks) {
        if (chunk === null) {
          isWhole = true;
          break;
        }
        for (const piece of reader.take(chunk)) {
          this.#hasBegun = true;
          if (piece.type === "reasoning") yield piece;
          else yield* thoughts.take(piece.text);
        }
      }
    } catch (error) {
      throw this.#failure(error);
    }
    const { end } = reader;
    // A connection that is only closed looks like an end; a stream of chunks that was cut off does not.
    if (!isWhole && end.finish === null && response.headers.get("transfer-encoding") !== "chunked")
      throw unavailable(this.#model, "its answer broke off", true);
    yield* thoughts.end();
    return end;
  }

  /** An answer with a status of 200; everything else is thrown. */
  async open(
    body: ChatBody,
    { isStreamed, mayGoWithoutTools }: { isStreamed: boolean; mayGoWithoutTools: boolean },
  ): Promise<Response> {
    const { address, apiKey, id } = this.#model;
    const url = new URL(`${address}/chat/completions`);
    const headers: Record<string, string> = {
      accept: isStreamed ? "text/event-stream" : "application/json",
      ...(apiKey === null ? {} : { authorization: `Bearer ${apiKey}` }),
    };
    this.#wait();
    for (let attempt = 1; ; attempt++) {
      const opened = await tracedCall("chat", headers, () =>
        openJson({ url, headers, body, signal: this.#signal }, this.#deps.access),
      );
      if (opened.kind === "open") {
        if (opened.response.status < 300) return opened.response;
        throw await this.#refusal(opened.response, mayGoWithoutTools);
      }
      if (opened.kind === "aborted") throw this.#failure(null);
      if (!opened.again || attempt === 2) {
        // The detail of a forbidden address names it.
        const reason =
          opened.cause === "away" ? "its server cannot be reached" : `the settings of '${id}' do not let it be called`;
        throw unavailable(this.#model, reason);
      }
    }
  }

  /** The body, piece by piece, as long as it does not fall silent. */
  async *bytes(response: Response): AsyncGenerator<Uint8Array> {
    if (response.body === null) return;
    const reader = response.body.getReader();
    try {
      for (;;) {
        this.#wait();
        const { done, value } = await reader.read();
        if (done) return;
        this.#hasBegun = true;
        yield value;
      }
    } catch (error) {
      throw this.#failure(error);
    } finally {
      clearTimeout(this.#silence);
      reader.cancel().catch(() => {});
    }
  }

  /** Parsed chunks; null at the end that OpenAI's streams have. */
  async *#streamed(response: Response): AsyncGenerator<unknown> {
    for await (const data of eventData(this.bytes(response))) {
      if (data.trim() === "[DONE]") {
        yield null;
        return;
      }
      const chunk: unknown = JSON.parse(data);
      if (typeof chunk === "object" && chunk !== null && "error" in chunk && chunk.error) {
        throw unavailable(this.#model, "its server had an error while it answered", true);
      }
      yield chunk;
    }
  }

  /** Some answer whole although they were asked for a stream. */
  async *#whole(response: Response): AsyncGenerator<unknown> {
    yield JSON.parse(await this.#text(response, MOST_WHOLE_BYTES));
    yield null;
  }

  async #refusal(response: Response, withTools: boolean): Promise<Error> {
    const { status, headers } = response;
    let error = { message: "", code: null as string | null };
    try {
      error = openaiError(JSON.parse(await this.#text(response, MOST_REFUSAL_BYTES)));
    } catch {
      // The status tells enough.
    }
    if (this.#signal.aborted) return this.#failure(null);
    return refusalOf(this.#model, { status, headers, ...error }, withTools);
  }

  async #text(response: Response, most: number): Promise<string> {
    const parts: Uint8Array[] = [];
    let length = 0;
    for await (const part of this.bytes(response)) {
      length += part.length;
      if (length > most) throw unavailable(this.#model, "its answer is too large", true);
      parts.push(part);
    }
    return Buffer.concat(parts).toString("utf8");
  }

  #wait(): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#late(), this.#deps.silenceMs);
  }

  #late(): void {
    this.#isLate = true;
    this.#cut.abort();
  }

  #failure(error: unknown): Error {
    if (error instanceof ChatError || error instanceof ToolsRefused) return error;
    if (this.#asked.aborted) return this.#asked.reason as Error;
    if (this.#isLate) return silent(this.#model, this.#hasBegun);
    return unavailable(this.#model, "its answer broke off", this.#hasBegun);
  }
}

async function* timed(
  pieces: AsyncGenerator<ChatPiece, ChatEnd>,
  onPiece: () => void,
): AsyncGenerator<ChatPiece, ChatEnd> {
  for (;;) {
    const next = await pieces.next();
    if (next.done === true) return next.value;
    onPiece();
    yield next.value;
  }
}

/** Made when they are wanted; `over` is told once, however it ends. */
function passedOn(bytes: AsyncGenerator<Uint8Array>, over: (outcome: string) => void): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await bytes.next();
          if (done !== true) return controller.enqueue(value);
          over("ok");
          controller.close();
        } catch (error) {
          over(outcomeOf(error));
          controller.error(error);
        }
      },
      async cancel() {
        over("aborted");
        await bytes.return(undefined);
      },
    },
    { highWaterMark: 0 },
  );
}

/** What a client is told of an answer that is passed on: its form, not the server's own words about itself. */
function kept(headers: Headers): Headers {
  const type = headers.get("content-type");
  return new Headers(type === null ? {} : { "content-type": type });
}

function isStream(response: Response): boolean {
  return !/^application\/json\b/i.test(response.headers.get("content-type") ?? "");
}

function outcomeOf(error: unknown): string {
  if (error instanceof ChatError) return error.code;
  return error instanceof ToolsRefused ? "tools_refused" : "failed";
}
