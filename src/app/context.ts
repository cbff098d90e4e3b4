import { chmodSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createFirstKey, createRunKey, keyAuthenticator, type RunKey } from "./access-keys.ts";
import { createApp } from "../http/app.ts";
import { QueryRecorder } from "../api/queries/recorder.ts";
import { startServer } from "../http/server.ts";
import { type Config, redactedConfig } from "../config/config.ts";
import { createEngine, type Engine } from "./engine.ts";
import { createOperations } from "./operations.ts";
import { settingsReloader } from "../config/settings-reload.ts";
import { type Clock, offsetClock, systemClock } from "../platform/clock.ts";
import { StartError, takeDataDir } from "../platform/data-dir.ts";
import { LineWriter } from "../platform/line-writer.ts";
import { createLog, type Log } from "../platform/log.ts";
import { createMetrics } from "../platform/metrics.ts";
import { METRIC_HELP } from "./metric-help.ts";

/**
 * Composition root: builds every object in order with plain constructors, and tears down in reverse. What is built
 * before a failure is taken down again; a failure that a person can mend is a StartError with one readable line.
 */
export interface Context extends AsyncDisposable {
  /** Starts jobs and listens. */
  start(): Promise<{ url: string }>;
  /** The administrator's key that was made up at the first start, to be shown once. */
  readonly firstKey: string | null;
  /** Reads the settings again and takes over those that can change while the server runs. Never throws; logs. */
  reload(): void;
  /** What a person should know about this start, one line each. */
  readonly notices: readonly string[];
}

export interface Overrides {
  log?: Log;
  clock?: Clock;
  /** The settings as they are now, for a reload; without it there is nothing to reload. */
  readSettings?: () => Config;
}

const MB = 1024 * 1024;

export async function createContext(config: Config, overrides: Overrides = {}): Promise<Context> {
  await using stack = new AsyncDisposableStack();
  const lines = stack.use(new LineWriter((text) => void process.stderr.write(text)));
  const log =
    overrides.log ??
    createLog({
      get level() {
        return config.logLevel;
      },
      format: logFormat(config),
      write: (line, urgent) => lines.line(line, urgent),
    });
  const clock = overrides.clock ?? (config.testClockFile === null ? systemClock : offsetClock(config.testClockFile));
  const metrics = createMetrics(METRIC_HELP);

  const dir = stack.use(takeDataDir(config.dataDir));
  const engine = stack.use(await createEngine({ config, dataDir: dir.path, clock, log, metrics }));
  let firstKey: string | null = null;
  let runKey: RunKey | null = null;
  const authenticate = keyAuthenticator(engine.storage, clock, config);
  const queries = stack.use(new QueryRecorder({ storage: engine.storage, log, mode: () => config.queryLog }));
  const reload = settingsReloader(config, overrides.readSettings ?? (() => config), log);
  const stopping = new AbortController();

  const app = createApp({
    operations: createOperations({
      config,
      engine,
      clock,
      metrics,
      dataDir: dir.path,
      stopping: stopping.signal,
      queries,
      reload,
    }),
    authenticate: (sha256) => runKey?.authenticate(sha256) ?? authenticate(sha256),
    log,
    metrics,
    dialect: config.dialect,
    stopping: stopping.signal,
    maxJsonBytes: config.maxJsonMb * MB,
    corsOrigins: config.corsOrigins,
    get maxRequestsPerKey() {
      return config.maxUserRequests;
    },
    get slowRequestMs() {
      return config.slowRequestMs;
    },
  });
  const teardown = stack.move();
  let started = false;

  return {
    get firstKey() {
      return firstKey;
    },
    notices: notices(config, engine),
    reload() {
      try {
        reload();
      } catch (error) {
        log.error("the settings were not reloaded", { error: error instanceof Error ? error.message : String(error) });
      }
    },
    async start() {
      engine.janitor.start();
      engine.runner.start();
      const server = listen(config, app, stopping);
      teardown.defer(() => server.stop(config.graceSeconds * 1000).then(() => undefined));
      // Only now: a start that failed before must not have used up the key that is shown once.
      firstKey = createFirstKey(engine.storage, config.apiKey, clock.nowSeconds());
      runKey = createRunKey(engine.storage.tenants.first()?.id ?? "");
      if (!config.noLocalCli) {
        const path = join(dir.path, "cli.json");
        writeCliFile(path, { url: localUrl(server.url), key: runKey.key, pid: process.pid });
        teardown.defer(() => rmSync(path, { force: true }));
      }
      engine.warm();
      started = true;
      // On a terminal the greeting shows them.
      if (logFormat(config) === "json") for (const notice of notices(config, engine)) log.info(notice);
      log.debug("settings", redactedConfig(config));
      log.info("started", { url: server.url, data: dir.path, default_model: config.defaultModel });
      lines.flush();
      return { url: server.url };
    },
    [Symbol.asyncDispose]: async () => {
      await teardown.disposeAsync();
      if (started) log.info("stopped");
    },
  };
}

function listen(config: Config, app: ReturnType<typeof createApp>, stopping: AbortController) {
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

function notices(config: Config, { models }: Engine): string[] {
  const lines = [models.aliasNotice()];
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
function writeCliFile(path: string, content: { url: string; key: string; pid: number }): void {
  const temporary = `${path}.tmp`;
  writeFileSync(temporary, JSON.stringify(content), { mode: 0o600 });
  chmodSync(temporary, 0o600);
  renameSync(temporary, path);
}
