import { rmSync } from "node:fs";
import { join } from "node:path";
import { QueryRecorder } from "../api/queries/recorder.ts";
import { type Config, redactedConfig } from "../config/config.ts";
import { settingsReloader } from "../config/settings-reload.ts";
import { type App, type AppDeps, createApp } from "../http/app.ts";
import { consolePages } from "../http/web-console/pages.ts";
import type { Operation } from "../http/operation.ts";
import { type RunningServer, startServer } from "../http/server.ts";
import { messageOf } from "../errors.ts";
import { warmProtocol } from "../mcp/protocol.ts";
import { type Clock, offsetClock, systemClock } from "../platform/clock.ts";
import { StartError, takeDataDir } from "../platform/data-dir.ts";
import { DescriptorWatch } from "../platform/descriptors.ts";
import { EventLoopWatch } from "../platform/event-loop.ts";
import { freeBytes } from "../platform/disk-reserve.ts";
import { describeBounds } from "../platform/process-bounds.ts";
import { LineWriter } from "../platform/line-writer.ts";
import { createLog, type Log } from "../platform/log.ts";
import { createMetrics } from "../platform/metrics.ts";
import { replaceFile } from "../platform/replace-file.ts";
import { createFirstKey, createRunKey, keyAuthenticator, type RunKey } from "./access-keys.ts";
import { ConsoleSessions, OwnPasses, sharedPasses } from "./console-sessions.ts";
import { createEngine, type Engine, type EngineOverrides } from "./engine.ts";
import { EVENT_LOOP_STALL } from "./metric-list.ts";
import { createOperations } from "./operations.ts";
import { startTelemetry } from "./telemetry.ts";

/**
 * The one composition root, for the server, the verbs and the tests: builds every object in order with plain
 * constructors, and tears down in reverse. What is built before a failure is taken down again; a failure that a person
 * can mend is a StartError with one readable line.
 */
export interface Context extends AsyncDisposable {
  /** Starts jobs and listens. */
  start(): Promise<{ url: string }>;
  /** From now on it is not ready, though everything is served: load balancers are to look for another. */
  leave(): void;
  /** Answers requests, listening or not. */
  readonly app: App;
  readonly engine: Engine;
  /** The administrator's key that was made up at the first start, to be shown once. */
  readonly firstKey: string | null;
  /** A link that opens the console signed in, once and within a quarter of an hour; null where there is no console. */
  consoleLink(): Promise<string | null>;
  /** Reads the settings again and takes over those that can change while the server runs. Never throws; logs. */
  reload(): void;
  /** A line in the log for what nothing else caught. */
  report(thrown: unknown): void;
  /** What a person should know about this start, one line each. */
  readonly notices: readonly string[];
}

export interface Overrides extends EngineOverrides {
  log?: Log;
  clock?: Clock;
  /** The settings as they are now, for a reload; without it there is nothing to reload. */
  readSettings?: () => Config;
  /** The verb of the command line that this runs in, for those who find the data directory taken. */
  verb?: string | undefined;
  /** What is served, made of the server's own operations. */
  operations?: (own: Operation[]) => Operation[];
  /** Aborted at the stop; tests abort it where nothing listens. */
  stopping?: AbortController;
}

interface Parts {
  config: Config;
  dataDir: string;
  notices: readonly string[];
  engine: Engine;
  app: App;
  stopping: AbortController;
  leaving: AbortController;
  reload: () => void;
  log: Log;
  clock: Clock;
  lines: LineWriter;
  sessions: ConsoleSessions;
  /** Takes everything down. */
  teardown: AsyncDisposableStack;
  /** Lets verbs of this machine in, from the start on. */
  setRunKey(key: RunKey, started: Started): void;
}

/** What is known once the server listens. */
interface Started {
  url: string;
  tenantId: string;
}

const MB = 1024 * 1024;
/** Told to the other servers of a database when one is asked to read its settings again. */
const RELOAD = "reload settings";
/** Verbs that run a server of their own are over by then, and whoever waited for a server has been answered. */
const WARM_AFTER_MS = 2000;

export async function createContext(config: Config, overrides: Overrides = {}): Promise<Context> {
  await using stack = new AsyncDisposableStack();
  const lines = stack.use(new LineWriter((text) => void process.stderr.write(text)));
  const log = overrides.log ?? logOf(config, lines);
  const clock = overrides.clock ?? (config.testClockFile === null ? systemClock : offsetClock(config.testClockFile));
  const metrics = createMetrics();
  const eventLoop = stack.use(new EventLoopWatch());
  metrics.gauge(EVENT_LOOP_STALL, () => eventLoop.take());
  const descriptors = stack.use(watchDescriptors(log));
  const { path: dataDir, notice } = stack.use(takeDataDir(config.dataDir, overrides.verb));
  const engineOverrides = { ...overrides, onProgress: progressTeller(lines, overrides) };
  const engine = stack.use(await createEngine({ config, dataDir, clock, log, metrics, overrides: engineOverrides }));
  // Ended before the engine is: the last values are read from it.
  stack.use(await startTelemetry(config, { metrics, log }));
  const { storage } = engine.data;
  const queries = stack.use(recorderOf(config, { storage, log, dataDir }));
  const reload = settingsReloader(config, overrides.readSettings ?? (() => config), log);
  engine.changes.onNotify(RELOAD, () => reloadQuietly(reload, log));
  const stopping = overrides.stopping ?? new AbortController();
  const authenticate = keyAuthenticator(storage, clock, config);
  let runKey: RunKey | null = null;
  let started: Started = { url: "", tenantId: "" };
  const sessions = new ConsoleSessions({
    clock,
    address: () => `${config.publicUrl ?? localUrl(started.url)}/console/`,
    tenantId: () => started.tenantId,
    passes: engine.data.bus === null ? new OwnPasses(clock) : sharedPasses(storage.consolePasses),
  });
  const { signal } = stopping;
  const leaving = new AbortController();
  const operations = createOperations({
    config,
    engine,
    clock,
    metrics,
    log,
    dataDir,
    stopping: signal,
    leaving: leaving.signal,
    queries,
    links: sessions,
    reload: () => {
      const changed = reload();
      engine.changes.notify(RELOAD);
      return changed;
    },
  });
  const app = appOf(config, {
    operations: overrides.operations?.(operations) ?? operations,
    authenticate: async (sha256) =>
      runKey?.authenticate(sha256) ?? (await authenticate(sha256)) ?? (await sessions.authenticate(sha256)),
    log,
    metrics,
    stopping: signal,
    room: () => descriptors.room(),
    permits: engine.data.permits,
  });
  const setRunKey = (key: RunKey, known: Started) => {
    runKey = key;
    started = known;
  };
  const teardown = stack.move();
  const notices = noticesOf(config, engine, notice);
  return new Server({
    config,
    dataDir,
    notices,
    engine,
    app,
    stopping,
    leaving,
    reload,
    log,
    clock,
    lines,
    sessions,
    teardown,
    setRunKey,
  });
}

function reloadQuietly(reload: () => unknown, log: Log): void {
  try {
    reload();
  } catch (error) {
    log.error("the settings were not reloaded", { error: messageOf(error) });
  }
}

function recorderOf(
  config: Config,
  { storage, log, dataDir }: { storage: Engine["data"]["storage"]; log: Log; dataDir: string },
): QueryRecorder {
  return new QueryRecorder({
    storage,
    log,
    mode: () => config.queryLog,
    hasRoom: async () => (await freeBytes(dataDir)) >= config.minFreeDiskMb * MB,
  });
}

/** The thread is held by what comes next, so lines that wait are written before. */
function progressTeller(lines: LineWriter, overrides: Overrides): (text: string) => void {
  return (text) => {
    lines.flush();
    overrides.onProgress?.(text);
  };
}

/** The interface with what it takes from the settings; those that a reload may change are read at every request. */
function appOf(
  config: Config,
  parts: Pick<AppDeps, "operations" | "authenticate" | "log" | "metrics" | "stopping" | "room" | "permits">,
): App {
  return createApp({
    ...parts,
    dialect: config.dialect,
    maxJsonBytes: config.maxJsonMb * MB,
    corsOrigins: config.corsOrigins,
    ...(config.noConsole ? {} : { console: consolePages() }),
    get maxRequestsPerKey() {
      return config.maxUserRequests;
    },
    streamBounds: {
      get perKey() {
        return config.maxUserStreams;
      },
      get perTenant() {
        return config.maxTeamStreams;
      },
    },
    get slowRequestMs() {
      return config.slowRequestMs;
    },
  });
}

class Server implements Context {
  readonly app: App;
  readonly engine: Engine;
  readonly notices: readonly string[];
  readonly #parts: Parts;
  #firstKey: string | null = null;
  #isStarted = false;

  constructor(parts: Parts) {
    this.app = parts.app;
    this.engine = parts.engine;
    this.notices = parts.notices;
    this.#parts = parts;
  }

  get firstKey(): string | null {
    return this.#firstKey;
  }

  async consoleLink(): Promise<string | null> {
    const { config, sessions } = this.#parts;
    return config.noConsole ? null : await sessions.atStart();
  }

  leave(): void {
    this.#parts.leaving.abort();
    this.#parts.log.info("not ready any more; requests are served until the stop");
  }

  reload(): void {
    reloadQuietly(this.#parts.reload, this.#parts.log);
  }

  report(thrown: unknown): void {
    const cause = thrown instanceof Error ? (thrown.stack ?? String(thrown)) : String(thrown);
    this.#parts.log.error("a failure that nothing handled", { cause });
  }

  async start(): Promise<{ url: string }> {
    const { config, dataDir, engine, app, stopping, log, clock, lines, teardown } = this.#parts;
    const { storage } = engine.data;
    await engine.jobs.start();
    const server = listen(config, app, stopping);
    teardown.defer(() => server.stop(config.graceSeconds * 1000).then(() => undefined));
    // Only now: a start that failed before must not have used up the key that is shown once.
    this.#firstKey = await createFirstKey(storage, config.apiKey, clock.nowSeconds());
    const tenantId = (await storage.tenants.first())?.id ?? "";
    const runKey = createRunKey(tenantId);
    this.#parts.setRunKey(runKey, { url: server.url, tenantId });
    if (!config.noLocalCli) {
      const path = join(dataDir, "cli.json");
      const { key } = runKey;
      writeCliFile(path, { url: localUrl(server.url), key, pid: process.pid, offline: config.offline });
      teardown.defer(() => rmSync(path, { force: true }));
    }
    engine.warm();
    const warming = setTimeout(() => void warmProtocol().catch((error: unknown) => this.report(error)), WARM_AFTER_MS);
    teardown.defer(() => clearTimeout(warming));
    this.#isStarted = true;
    for (const warning of config.warnings) log.warn(warning);
    // On a terminal the greeting shows them.
    if (logFormat(config) === "json") for (const notice of this.notices) log.info(notice);
    log.debug("settings", redactedConfig(config));
    log.debug("documents are read in processes of their own", describeBounds(engine.workers.bounds));
    log.info("started", { url: server.url, data: dataDir, default_model: engine.models.catalog().defaultModel });
    lines.flush();
    return { url: server.url };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#parts.teardown.disposeAsync();
    if (this.#isStarted) this.#parts.log.info("stopped");
  }
}

function watchDescriptors(log: Log): DescriptorWatch {
  const text = "the process nears its limit of open files: no event stream is begun, and soon requests get 503";
  return new DescriptorWatch((seen) => log.warn(text, { ...seen }));
}

function logOf(config: Config, lines: LineWriter): Log {
  return createLog({
    get level() {
      return config.logLevel;
    },
    format: logFormat(config),
    write: (line, urgent) => lines.line(line, urgent),
  });
}

function listen(config: Config, app: App, stopping: AbortController): RunningServer {
  try {
    return startServer({
      app,
      host: config.host,
      port: config.port,
      idleTimeoutSeconds: config.idleTimeoutSeconds,
      stopping,
    });
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
    const reason = code === "EADDRINUSE" ? "is in use; choose another with --port" : `cannot be listened on (${code})`;
    const host = config.host.includes(":") ? `[${config.host}]` : config.host;
    throw new StartError(`the address ${host}:${config.port} ${reason}`, { cause: error });
  }
}

function noticesOf(config: Config, { models, modelNotice }: Engine, ofPlace: string | null): string[] {
  const lines = [ofPlace, modelNotice, models.aliasNotice()];
  if (config.offline) lines.push("Offline: every outbound connection is refused.");
  if (config.testClockFile !== null) lines.push(`The clock is moved by ${config.testClockFile} (for tests only).`);
  return lines.filter((line) => line !== null);
}

function logFormat(config: Config): "json" | "human" {
  if (config.logFormat !== "auto") return config.logFormat;
  return process.stderr.isTTY ? "human" : "json";
}

/** An address that this machine itself can use. */
function localUrl(url: string): string {
  return url.replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:");
}

/** For verbs of the same user on this machine; whole or absent, and nobody else's to read. */
function writeCliFile(path: string, content: { url: string; key: string; pid: number; offline: boolean }): void {
  replaceFile(path, JSON.stringify(content));
}
