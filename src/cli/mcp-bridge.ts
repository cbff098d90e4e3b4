/**
 * Carries messages of the Model Context Protocol, one a line, to a server's `/mcp` and its answers back. It knows nothing
 * of what they say beyond what HTTP wants in headers. The server is looked for at the first message and let go of after a
 * while without one: where it runs inside this process, others can have the data directory again.
 */
import { messageOf } from "../errors.ts";
import { StartError } from "../platform/data-dir.ts";
import type { Server } from "./client.ts";
import type { Connection } from "./connect.ts";
import { type AskedMessage, modernHeaders, readAnswer, readLine, refusal } from "./mcp-messages.ts";

export interface BridgeDeps {
  connect: () => Promise<Connection>;
  /** `/mcp`, or that of one store. */
  path: string;
  /** Takes one line. */
  write: (line: string) => void;
  /** Milliseconds without a message after which the server is let go of. */
  idleMs: number;
  /** For the person or the log behind this. */
  warn: (text: string) => void;
}

/** Messages under way at once. */
const MOST_AT_ONCE = 32;
/** Attempts where a server has too much to do, is stopping, or was started anew. */
const ATTEMPTS = 4;
/** Another process that holds the data directory says within this time where it listens. */
const STARTING_MS = 60_000;
const PAUSE_MS = 200;
const LONGEST_PAUSE_SECONDS = 5;

export class McpBridge implements AsyncDisposable {
  readonly #deps: BridgeDeps;
  readonly #underWay = new Map<string | number, AbortController>();
  readonly #running = new Set<Promise<void>>();
  #connection: Promise<Connection> | null = null;
  #idle: ReturnType<typeof setTimeout> | undefined;

  constructor(deps: BridgeDeps) {
    this.#deps = deps;
  }

  /** Takes one line; resolves when there is room for the next. */
  async take(line: string): Promise<void> {
    const read = readLine(line);
    if (read.type === "wrong") return this.#write(read.answer);
    if (read.type === "cancel") return this.#underWay.get(read.id)?.abort();
    // Nothing that a notification says changes an answer.
    if (read.type === "notification") return;
    if (this.#running.size >= MOST_AT_ONCE) await Promise.race(this.#running);
    const running = this.#answer(read.message).finally(() => this.#running.delete(running));
    this.#running.add(running);
  }

  /** A line that was longer than any message. */
  refuseLong(): void {
    this.#write(refusal(null, "The message is too long."));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const controller of this.#underWay.values()) controller.abort();
    await this.#letGo();
  }

  async #answer(message: AskedMessage): Promise<void> {
    const controller = new AbortController();
    this.#underWay.set(message.id, controller);
    clearTimeout(this.#idle);
    try {
      const answer = await this.#ask(message, controller.signal);
      if (!controller.signal.aborted) this.#write(answer);
    } catch (error) {
      if (controller.signal.aborted) return;
      this.#deps.warn(messageOf(error));
      this.#write(refusal(message.id, messageOf(error)));
    } finally {
      if (this.#underWay.get(message.id) === controller) this.#underWay.delete(message.id);
      if (this.#underWay.size === 0) this.#letGoLater();
    }
  }

  async #ask(message: AskedMessage, signal: AbortSignal): Promise<object> {
    for (let attempt = 1; ; attempt += 1) {
      const connection = await this.#connected();
      const { server } = connection.client;
      const response = await this.#post(server, message, signal);
      const isLast = attempt === ATTEMPTS;
      if (response === null) {
        if (isLast) return refusal(message.id, `${server.url} cannot be reached; is the server running?`);
        // It stopped, or another one runs by now.
        await this.#letGo(connection);
        continue;
      }
      const { status, headers } = response;
      const text = await response.text();
      // The key of a server of this machine is that of one run of it.
      if (status === 401 && attempt === 1) {
        await this.#letGo(connection);
        continue;
      }
      if (isLast || (status !== 429 && status !== 503))
        return readAnswer(message.id, { status, text, url: server.url });
      const wished = Number(headers.get("retry-after") ?? "1");
      await Bun.sleep(1000 * Math.min(Number.isFinite(wished) ? wished : 1, LONGEST_PAUSE_SECONDS));
    }
  }

  /** Null where nobody answers. */
  async #post(server: Server, message: AskedMessage, signal: AbortSignal): Promise<Response | null> {
    const headers = {
      authorization: `Bearer ${server.key}`,
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      ...modernHeaders(message),
    };
    const init = { method: "POST", headers, body: message.line, signal, redirect: "manual", timeout: false } as const;
    try {
      return await fetch(server.url + this.#deps.path, init);
    } catch {
      signal.throwIfAborted();
      return null;
    }
  }

  async #connected(): Promise<Connection> {
    this.#connection ??= this.#find();
    const connection = this.#connection;
    try {
      return await connection;
    } catch (error) {
      if (this.#connection === connection) this.#connection = null;
      throw error;
    }
  }

  /** Another process may hold the data directory that has not said yet where it listens. */
  async #find(): Promise<Connection> {
    const until = Date.now() + STARTING_MS;
    for (;;) {
      try {
        return await this.#deps.connect();
      } catch (error) {
        if (!(error instanceof StartError) || Date.now() > until) throw error;
        await Bun.sleep(PAUSE_MS);
      }
    }
  }

  #letGoLater(): void {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => {
      if (this.#underWay.size === 0) void this.#letGo().catch((error: unknown) => this.#deps.warn(messageOf(error)));
    }, this.#deps.idleMs);
  }

  /** `only`: nothing where it is another one by now. */
  async #letGo(only?: Connection): Promise<void> {
    clearTimeout(this.#idle);
    const connection = this.#connection;
    if (connection === null) return;
    const there = await connection.catch(() => null);
    if (only !== undefined && there !== only) return;
    if (this.#connection === connection) this.#connection = null;
    await there?.[Symbol.asyncDispose]();
  }

  #write(answer: object): void {
    this.#deps.write(`${JSON.stringify(answer)}\n`);
  }
}
