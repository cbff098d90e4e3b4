import { basename } from "node:path";
import { KEYS, type StoreApp } from "../../app/testing/store-app.ts";
import { messageOf } from "../../errors.ts";
import { exitStatusOf } from "../terminal.ts";
import { NO_TERMINAL, type Terminal } from "../terminal.ts";
import { TEST_DEFAULT_MODEL } from "../../../test/helpers/server.ts";
import { runVerb } from "../verbs.ts";

/** What a command said and how it ended. What a verb throws for a person to read is the message, as main.ts shows it. */
export interface Said {
  status: number;
  out: string;
  err: string;
}

/** The whole environment where a test gives none: a server that a verb starts has the quick model. */
const ENVIRONMENT = { LECTERN_DEFAULT_MODEL: TEST_DEFAULT_MODEL };

/** Runs `lectern <argv>` in this process. */
export async function lectern(argv: readonly string[], terminal: Partial<Terminal> = {}): Promise<Said> {
  const said: Said = { status: 0, out: "", err: "" };
  try {
    said.status = await runVerb(argv, {
      ...NO_TERMINAL,
      out: (text) => void (said.out += text),
      err: (text) => void (said.err += text),
      columns: 100,
      env: ENVIRONMENT,
      ...terminal,
    });
    return said;
  } catch (error) {
    const status = exitStatusOf(error);
    if (status === null) throw error;
    return { ...said, status, err: `${said.err}lectern: ${messageOf(error)}\n` };
  }
}

/** The server for tests as the verbs reach it: at an address, with what a verb attaches indexed at once. */
export interface ServedApp extends AsyncDisposable {
  readonly url: string;
  /** Runs a verb against it with the administrator's key. */
  run(argv: readonly string[], terminal?: Partial<Terminal>): Promise<Said>;
}

/** `onAttached`: in place of the ingest, which here makes the file's bytes its only passage. */
export function serveApp(f: StoreApp, onAttached = indexAtOnce): ServedApp {
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    async fetch(request) {
      const { pathname } = new URL(request.url);
      const response = await f.app.handle(request);
      const storeId = /^\/v1\/vector_stores\/(\w+)\/files$/.exec(pathname)?.[1];
      if (request.method !== "POST" || storeId === undefined || !response.ok) return response;
      const answer = (await response.clone().json()) as { id: string };
      await onAttached(f, storeId, answer.id);
      return response;
    },
  });
  const url = `http://127.0.0.1:${server.port}`;
  return {
    url,
    run: (argv, terminal = {}) =>
      lectern(argv, { ...terminal, env: { LECTERN_URL: url, LECTERN_API_KEY: KEYS.admin, ...terminal.env } }),
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

async function indexAtOnce(f: StoreApp, storeId: string, fileId: string): Promise<void> {
  const file = await f.call("GET", `/v1/files/${fileId}/content`);
  await f.finish(storeId, fileId, [typeof file.json === "string" ? file.json : JSON.stringify(file.json)]);
}

/** The rows of a table that a verb printed, as cells. */
export function cellsOf(table: string): string[][] {
  return table
    .trimEnd()
    .split("\n")
    .map((line) => line.split(/ {2,}/));
}

/** JSON lines. */
export function jsonLines(text: string): Record<string, unknown>[] {
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

/** Paths of a list of JSON lines, for a comparison. */
export function fileNames(lines: readonly Record<string, unknown>[]): string[] {
  return lines.map(({ path }) => basename(String(path)));
}
