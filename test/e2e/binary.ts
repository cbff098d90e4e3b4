/**
 * Starts the compiled binary the way a person would get it: one file, alone in an empty directory. With
 * LECTERN_TEST_SERVERS=two it is started twice, and the two look like one (helpers/pair.ts).
 */
import { copyFileSync, existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { OVER_TWO, startTwo } from "../helpers/pair.ts";
import { tempDir } from "../helpers/temp-dir.ts";

const BINARY = join(import.meta.dir, "../../dist/lectern");
const READY = /^lectern (\S+) listening on (http:\/\/\S+)\n/m;
export const API_KEY = "e2e-administrator-key-0123456789";

export interface Place extends Disposable {
  /** The only thing in it at first is the binary. */
  readonly cwd: string;
  readonly data: string;
  readonly home: string;
  readonly tmp: string;
}

/** An empty directory with the binary, and HOME and TMPDIR of its own in which nothing may be left. */
export function place(): Place {
  if (!existsSync(BINARY)) throw new Error(`${BINARY} is missing: run "make build"`);
  const temp = tempDir();
  const base = temp.path;
  const [cwd, home, tmp] = [join(base, "run"), join(base, "home"), join(base, "tmp")];
  for (const directory of [cwd, home, tmp]) mkdirSync(directory);
  copyFileSync(BINARY, join(cwd, "lectern"));
  const remove = () => temp[Symbol.dispose]();
  return { cwd, data: join(base, "data"), home, tmp, [Symbol.dispose]: remove };
}

export interface Options {
  env?: Record<string, string | undefined>;
  /** Words put before the binary's path, such as a command that changes the user. */
  before?: string[];
  /** Where the process starts, if not beside the binary. */
  cwd?: string;
  /** Where `serve` listens, for one that comes back to where it was; a free port unless set. */
  port?: number;
}

function spawn(where: Place, args: string[], options: Options) {
  return Bun.spawn([...(options.before ?? []), join(where.cwd, "lectern"), ...args], {
    cwd: options.cwd ?? where.cwd,
    // Nothing of the tests' own environment: the binary must need none of it.
    env: {
      HOME: where.home,
      TMPDIR: where.tmp,
      PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
      LECTERN_API_KEY: API_KEY,
      ...options.env,
    },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
}

/** Runs to the end. */
export async function run(where: Place, args: string[], options: Options = {}) {
  const child = spawn(where, args, options);
  const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { out, err, code };
}

export interface Server extends AsyncDisposable {
  readonly url: string;
  readonly version: string;
  readonly pid: number;
  readonly out: () => string;
  readonly err: () => string;
  /** Sends SIGTERM and waits; the exit status. */
  stop(): Promise<number>;
  /** SIGKILL, at once. */
  kill(): Promise<void>;
  request(path: string, init?: RequestInit): Promise<Response>;
}

type ServeOptions = Options & { args?: readonly string[] };

/** `serve` on a free port, once it has said that it is ready. */
export async function serve(where: Place, options: ServeOptions = {}): Promise<Server> {
  return OVER_TWO ? await serveTwo(where, options) : await serveOne(where, options);
}

async function serveTwo(where: Place, { port, args = [], ...options }: ServeOptions): Promise<Server> {
  const { servers, url, end } = await startTwo(
    where.data,
    (data, more) => serveOne({ ...where, data }, { ...options, args: [...args, ...more] }),
    port,
  );
  const [first, second] = servers;
  const stop = async () => {
    const [code] = await Promise.all([first.stop(), second.stop(), end()]);
    return code;
  };
  return {
    ...first,
    url,
    out: () => first.out() + second.out(),
    err: () => first.err() + second.err(),
    stop,
    kill: async () => void (await Promise.all([first.kill(), second.kill(), end()])),
    request: requests(url),
    [Symbol.asyncDispose]: async () => void (await stop()),
  };
}

const requests =
  (url: string): Server["request"] =>
  (path, init = {}) =>
    fetch(url + path, { ...init, headers: { authorization: `Bearer ${API_KEY}`, ...init.headers } });

async function serveOne(where: Place, options: ServeOptions): Promise<Server> {
  const args = ["serve", "--port", String(options.port ?? 0), "--data", where.data, ...(options.args ?? [])];
  const child = spawn(where, args, options);
  let out = "";
  let err = "";
  const ready = Promise.withResolvers<RegExpExecArray>();
  const outDone = collect(child.stdout, (text) => {
    out += text;
    const found = READY.exec(out);
    if (found) ready.resolve(found);
  });
  const errDone = collect(child.stderr, (text) => (err += text));
  void Promise.all([outDone, errDone, child.exited]).then(([, , code]) =>
    ready.reject(new Error(`exited with ${code} before it was ready\n${out}${err}`)),
  );
  const [, version = "", url = ""] = await ready.promise;
  const stop = async () => {
    child.kill("SIGTERM");
    const [code] = await Promise.all([child.exited, outDone, errDone]);
    return code;
  };
  return {
    url,
    version,
    pid: child.pid,
    out: () => out,
    err: () => err,
    stop,
    async kill() {
      child.kill("SIGKILL");
      await child.exited;
    },
    request: requests(url),
    [Symbol.asyncDispose]: async () => void (await stop()),
  };
}

async function collect(stream: ReadableStream<Uint8Array>, take: (text: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  for await (const piece of stream) take(decoder.decode(piece, { stream: true }));
}
