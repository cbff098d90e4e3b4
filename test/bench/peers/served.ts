/** An engine that is a server: one load generator for all of them, over kept connections. */
import { waitFor } from "../../helpers/wait.ts";
import { Connection, type Framing } from "../connection.ts";
import type { Data, Drive, Load, Running, Searching, Share } from "./engine.ts";
import type { Child } from "./processes.ts";

/** What is different from one server to the next: its requests and its answers. */
export interface Protocol {
  url: string;
  framing: Framing;
  /** What a new connection must hear before its first search of a collection; each is answered. */
  greetings(collection: string): Uint8Array[];
  request(collection: string, query: Float32Array, share: Share): Uint8Array;
  /** Positions in the data, from the body of an answer. */
  positions(body: Uint8Array): number[];
  ready(): Promise<boolean>;
  load(name: string, data: Data): Promise<string>;
  settled?(collection: string): Promise<void>;
}

const READY_MS = 120_000;

export class Served implements Running {
  readonly #child: Child;
  readonly #protocol: Protocol;
  /** Open and greeted, by collection: as clients keep theirs. */
  readonly #kept = new Map<string, Connection[]>();

  readonly also: ReadonlyMap<string, Searching>;

  constructor(child: Child, protocol: Protocol, also: ReadonlyMap<string, Searching> = new Map()) {
    this.also = also;
    this.#child = child;
    this.#protocol = protocol;
  }

  get pid(): number {
    return this.#child.pid;
  }

  async ready(): Promise<void> {
    await waitFor("the server is ready", async () => (await this.#isReady()) || undefined, READY_MS);
  }

  async #isReady(): Promise<boolean> {
    if (this.#child.isOver()) throw new Error(`it ended: ${this.#child.log().slice(-2000)}`);
    return await this.#protocol.ready().catch(() => false);
  }

  async load(name: string, data: Data): Promise<string> {
    return await this.#protocol.load(name, data);
  }

  async find(collection: string, query: Float32Array, share: Share): Promise<number[]> {
    const [connection] = await this.#connections(collection, 1);
    const sent = connection!.send(this.#protocol.request(collection, query, share));
    // One that the server closed is of no further use.
    const { status, body } = await sent.catch((error: unknown) => {
      this.#close();
      throw error;
    });
    if (status !== 200) throw new Error(`status ${status}: ${new TextDecoder().decode(body).slice(0, 500)}`);
    return this.#protocol.positions(body);
  }

  async drive(collection: string, queries: readonly Float32Array[], load: Load): Promise<Drive> {
    const requests = queries.map((query) => this.#protocol.request(collection, query, load.share));
    const connections = await this.#connections(collection, load.clients);
    const times: number[] = [];
    const started = performance.now();
    const lane = async (connection: Connection, first: number) => {
      let i = first;
      do {
        const sent = performance.now();
        const { status } = await connection.send(requests[i % requests.length]!);
        if (status !== 200) throw new Error(`status ${status}`);
        times.push(performance.now() - sent);
        i += load.clients;
      } while (performance.now() - started < load.seconds * 1000);
    };
    await Promise.all(connections.map(lane));
    return { times, perSecond: times.length / ((performance.now() - started) / 1000) };
  }

  async settled(collection: string): Promise<void> {
    await this.#protocol.settled?.(collection);
  }

  async stop(): Promise<void> {
    this.#close();
    await this.#child.stop();
  }

  async kill(): Promise<void> {
    this.#close();
    await this.#child.kill();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#child.isOver()) await this.kill();
  }

  async #connections(collection: string, count: number): Promise<Connection[]> {
    const kept = this.#kept.get(collection) ?? [];
    const missing = Array.from({ length: Math.max(0, count - kept.length) }, () => this.#connect(collection));
    kept.push(...(await Promise.all(missing)));
    this.#kept.set(collection, kept);
    return kept.slice(0, count);
  }

  #close(): void {
    for (const connection of [...this.#kept.values()].flat()) connection[Symbol.dispose]();
    this.#kept.clear();
    for (const one of this.also.values()) if (one instanceof Served) one.#close();
  }

  async #connect(collection: string): Promise<Connection> {
    const connection = await Connection.open(this.#protocol.url, this.#protocol.framing);
    for (const greeting of this.#protocol.greetings(collection)) {
      const { status } = await connection.send(greeting);
      if (status === 200) continue;
      connection[Symbol.dispose]();
      throw new Error(`status ${status} to the greeting`);
    }
    return connection;
  }
}

const BATCH = 1000;
const AT_ONCE = 2;

/** Sends the data in batches of a thousand, two at once; `body` makes that of the positions from one to before another. */
export async function inBatches(count: number, send: (from: number, to: number) => Promise<void>): Promise<void> {
  let next = 0;
  const lane = async () => {
    for (let from = next; from < count; from = next) {
      next = Math.min(count, from + BATCH);
      await send(from, next);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
}

export const positionsBetween = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

/** A request of JSON that must succeed. */
export async function ask<T>(url: string, body?: unknown, headers: Record<string, string> = {}): Promise<T> {
  const init = body === undefined ? { headers } : { method: "POST", body: JSON.stringify(body), headers };
  if (body !== undefined) init.headers = { "content-type": "application/json", ...headers };
  const response = await fetch(url, init);
  const text = await response.text();
  if (!response.ok) throw new Error(`${url}: ${response.status} ${text.slice(0, 500)}`);
  return (text === "" ? null : JSON.parse(text)) as T;
}
