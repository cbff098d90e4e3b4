/**
 * A server whose disk fails now and then, the client beside it, and what that client was told: only what was acknowledged
 * counts, and it must stay.
 */
import { cpSync, linkSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type ChatServer, startChatServer } from "../helpers/chat-server.ts";
import { startServer, type TestServer } from "../helpers/server.ts";
import { type TempDir, tempDir } from "../helpers/temp-dir.ts";
import { waitFor } from "../helpers/wait.ts";
import { addSecondModel } from "../migrate/corpus.ts";
import { Control, startTraced } from "./tracer.ts";

/** What a client must not be told, or must not find. */
export class Finding extends Error {
  override name = "Finding";
}

/** `status` 0: no answer came. */
export type Answered<T> = { ok: true; value: T } | { ok: false; status: number; message: string };

/** What a failing disk may be answered with. */
const HONEST = [500, 502, 503, 507];
const SETTLE_MS = 90_000;

export interface Known {
  /** file -> what it holds */
  files: Map<string, string>;
  deletedFiles: Set<string>;
  /** file -> store and a word that only it holds */
  attached: Map<string, { store: string; word: string }>;
  stores: Set<string>;
  deletedStores: Set<string>;
  /** word -> store */
  inserted: Map<string, string>;
  keys: Map<string, string>;
  tenants: Set<string>;
  responses: Map<string, string>;
}

export class Desk implements AsyncDisposable {
  readonly control: Control;
  readonly known: Known = {
    files: new Map(),
    deletedFiles: new Set(),
    attached: new Map(),
    stores: new Set(),
    deletedStores: new Set(),
    inserted: new Map(),
    keys: new Map(),
    tenants: new Set(),
    responses: new Map(),
  };
  server!: TestServer;
  /** Called after each thing that became known. */
  onKnown: (known: Known) => void = () => {};
  /** For records of what is written. */
  record: string | undefined;
  restarts = 0;
  readonly #dir: TempDir;
  readonly #upstream: ChatServer;
  #words = 0;
  #movedBy = 0;
  #checked = new Set<string>();

  private constructor(dir: TempDir, upstream: ChatServer) {
    this.#dir = dir;
    this.#upstream = upstream;
    this.control = new Control(dir.join("control"));
  }

  /** On a data directory that was used before, so that what a first start alone does is over. */
  static async open(): Promise<Desk> {
    const upstream = await startChatServer();
    upstream.say({ text: "Within fourteen days." });
    const desk = new Desk(tempDir(), upstream);
    copyLinked(await template(), desk.root);
    return desk;
  }

  /** Everything below is watched. */
  get root(): string {
    return this.#dir.join("watched");
  }

  get dataDir(): string {
    return join(this.root, "data");
  }

  get args(): string[] {
    return [
      ...["--log-level", "info", "--hnsw-threshold", "100", "--parse-workers", "1"],
      ...["--test-clock-file", this.#dir.join("clock")],
      ...["--chat-address", this.#upstream.address, "--chat-model", "qwen3", "--allow-private-addresses"],
    ];
  }

  get isRunning(): boolean {
    return isAlive(this.server.pid);
  }

  async start(): Promise<void> {
    const { control, root, record } = this;
    const watched = { control, root, ...(record === undefined ? {} : { record }) };
    this.server = await startTraced(watched, { dataDir: this.dataDir, args: this.args });
    this.restarts++;
  }

  async restart(): Promise<void> {
    await this.kill();
    await this.start();
  }

  /** With all that it started: the tracer's own end comes first. */
  async kill(): Promise<void> {
    await this.server.kill();
    const { pid } = this.control;
    await waitFor("the server has ended", () => (isAlive(pid) ? undefined : true));
  }

  /** Jobs that wait after a failure are due. */
  moveClock(): void {
    this.#movedBy += 3600;
    writeFileSync(this.#dir.join("clock"), String(this.#movedBy));
  }

  /** What the client was told, or is about to ask for that cannot be taken back. */
  note(change: (known: Known) => void): void {
    change(this.known);
    this.onKnown(this.known);
  }

  newWord(): string {
    return `w${(this.#words++).toString(36)}q${Math.random().toString(36).slice(2, 8)}`;
  }

  async ask<T>(method: string, path: string, body?: unknown, key?: string): Promise<Answered<T>> {
    const init: RequestInit = { method };
    if (body instanceof FormData) init.body = body;
    else if (body !== undefined)
      Object.assign(init, { body: JSON.stringify(body), headers: { "content-type": "application/json" } });
    if (key !== undefined) init.headers = { ...init.headers, authorization: `Bearer ${key}` };
    let response: Response;
    let text: string;
    try {
      response = await this.server.fetch(path, { ...init, signal: AbortSignal.timeout(60_000) });
      text = await response.text();
    } catch (error) {
      if (error instanceof Error && error.name === "TimeoutError")
        throw new Finding(`${method} ${path} was never answered`);
      return { ok: false, status: 0, message: String(error) };
    }
    if (text.includes(this.root)) throw new Finding(`${method} ${path} told a path: ${text}`);
    if (response.ok) return { ok: true, value: JSON.parse(text) as T };
    return { ok: false, status: response.status, message: refusalIn(`${method} ${path}`, response, text) };
  }

  /** Without a fault: anything but success is a finding. */
  async must<T>(method: string, path: string, body?: unknown, key?: string): Promise<T> {
    const answer = await this.ask<T>(method, path, body, key);
    if (!answer.ok) throw new Finding(`without a fault, ${method} ${path}: ${answer.status} ${answer.message}`);
    return answer.value;
  }

  /** Null when ready, else what is wrong. */
  async unready(): Promise<string | null> {
    const response = await this.server.fetch("/readyz");
    return response.ok ? null : await response.text();
  }

  /** Everything that was acknowledged is there, as far as it was not looked at since the last start. */
  async check(): Promise<void> {
    this.moveClock();
    const { known } = this;
    const listed = new Set<string>();
    for await (const { id } of this.server.client.files.list({ limit: 1000 })) listed.add(id);
    // No row without its bytes, whoever was told of it.
    for (const id of listed)
      await this.#once(`c${id}`, async () => {
        const response = await this.server.fetch(`/v1/files/${id}/content`);
        if (!response.ok) throw new Finding(`the bytes of ${id}: ${response.status} ${await response.text()}`);
      });
    for (const id of known.deletedFiles) if (listed.has(id)) throw new Finding(`the deleted file ${id} is there`);
    const stores = new Set<string>();
    for await (const { id } of this.server.client.vectorStores.list({ limit: 100 })) stores.add(id);
    for (const id of known.deletedStores) if (stores.has(id)) throw new Finding(`the deleted store ${id} is there`);
    for (const id of known.stores) if (!stores.has(id)) throw new Finding(`the store ${id} is lost`);
    for (const [id, text] of known.files) {
      if (!listed.has(id)) throw new Finding(`the file ${id} is lost`);
      await this.#once(id, async () => {
        const response = await this.server.fetch(`/v1/files/${id}/content`);
        if ((await response.text()) !== text) throw new Finding(`the file ${id} is not what was sent`);
      });
    }
    for (const [id, { store, word }] of known.attached)
      await this.#once(`a${id}`, async () => {
        await this.settled(store, id);
        await this.#found(store, word);
      });
    for (const [word, store] of known.inserted) await this.#once(word, () => this.#found(store, word));
    for (const [id, key] of known.keys)
      await this.#once(id, () => this.must("GET", "/v1/files?limit=1", undefined, key));
    for (const id of known.tenants) await this.#once(id, () => this.must("GET", `/v1/admin/tenants/${id}`));
    for (const [id, said] of known.responses)
      await this.#once(id, async () => {
        const body = JSON.stringify(await this.must("GET", `/v1/responses/${id}`));
        if (!body.includes(said)) throw new Finding(`the response ${id} lost its text: ${body}`);
      });
  }

  /** Looked at after two starts, then believed. */
  async #once(what: string, look: () => Promise<unknown>): Promise<void> {
    if (this.#checked.has(`${what} twice`)) return;
    await look();
    this.#checked.add(this.#checked.has(what) ? `${what} twice` : what);
  }

  async #found(store: string, word: string): Promise<void> {
    const { data } = await this.must<{ data: { content: { text: string }[] }[] }>(
      "POST",
      `/v1/vector_stores/${store}/search`,
      { query: word, max_num_results: 1, search_mode: "keyword" },
    );
    if (data[0]?.content[0]?.text.includes(word) !== true) throw new Finding(`${word} is not found in ${store}`);
  }

  async settled(store: string, file: string): Promise<void> {
    const path = `/v1/vector_stores/${store}/files/${file}`;
    const until = performance.now() + SETTLE_MS;
    const done = await waitFor(
      `${file} settles`,
      async () => {
        if (!this.isRunning || performance.now() > until) return "never";
        const now = await this.ask<{ status: string }>("GET", path);
        return now.ok && now.value.status !== "in_progress" ? now.value.status : undefined;
      },
      SETTLE_MS * 2,
    );
    if (done !== "completed") throw new Finding(`the file ${file} in ${store}: ${done}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.restarts > 0) await this.kill();
    await this.#upstream[Symbol.asyncDispose]();
    this.#dir[Symbol.dispose]();
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function isDoneAlready(what: string, status: number): boolean {
  return (status === 404 && what.startsWith("DELETE")) || (status === 409 && what.endsWith("/migrate"));
}

/** The message of a refusal that tells it as it should be told. */
function refusalIn(what: string, response: Response, text: string): string {
  let error: { message?: unknown } | undefined;
  try {
    ({ error } = JSON.parse(text) as { error?: { message?: unknown } });
  } catch {
    throw new Finding(`${what} answered ${response.status} with ${text.slice(0, 200)}`);
  }
  const keys = Object.keys(error ?? {})
    .toSorted()
    .join();
  if (keys !== "code,message,param,type") throw new Finding(`${what} answered ${response.status} with ${text}`);
  const message = String(error?.message);
  // What was refused before may have been done all the same.
  if (isDoneAlready(what, response.status)) return message;
  if (!HONEST.includes(response.status) || message.length < 10)
    throw new Finding(`${what} answered ${response.status}: ${message}`);
  return message;
}

/** What never changes is not copied. */
const SHARED = ["models", "native"];

function copyLinked(from: string, to: string, isShared = false): void {
  mkdirSync(to, { recursive: true });
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) copyLinked(source, target, isShared || SHARED.includes(entry.name));
    else if (isShared) linkSync(source, target);
    else cpSync(source, target);
  }
}

let templateDir: Promise<string> | null = null;

/** A data directory with two models and the libraries unpacked, made once. */
function template(): Promise<string> {
  return (templateDir ??= (async () => {
    const dir = tempDir();
    process.on("exit", () => dir[Symbol.dispose]());
    const dataDir = dir.join("data");
    await addSecondModel(dataDir);
    await using server = await startServer({ dataDir, args: ["--hnsw-threshold", "100"] });
    // The model has been tried, and the graph library unpacked, before anything fails.
    const store = await server.client.vectorStores.create({ name: "first" });
    await waitFor("the second model is known", async () => {
      const response = await server.fetch("/v1/models");
      return (await response.text()).includes('"second"') ? true : undefined;
    });
    await server.client.vectorStores.delete(store.id);
    await server.stop();
    return dir.path;
  })());
}
