import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "../config/config.ts";
import { version } from "../platform/build-info.ts";
import type { Clock } from "../platform/clock.ts";
import { StartError } from "../platform/data-dir.ts";
import { freeBytesNow } from "../platform/disk-reserve.ts";
import { createFailpoint } from "../platform/failpoint.ts";
import type { Log } from "../platform/log.ts";
import { replaceFile } from "../platform/replace-file.ts";
import type { MigrationStep, MigrationWatch } from "../storage/migrations/runner.ts";
import type { NewerSchemaError } from "../storage/migrations/newer-schema.ts";
import { COPY_DAYS, keepUpgradeCopy, pendingUpgrade, removeOldUpgradeCopy } from "../storage/upgrade-copy.ts";

/** An upgrade of a data directory as its operator meets it: a way back, and lines that say how far it is. */
export interface UpgradeOptions {
  dataDir: string;
  log: Log;
  clock: Clock;
  config: Pick<Config, "upgradeCopy" | "minFreeDiskMb" | "testFailpoint">;
  onProgress: (text: string) => void;
}

const MB = 1024 * 1024;
const LOOK_EVERY_MS = 6 * 3_600_000;

/** Keeps the way back, where an upgrade is due; what it returns tells of the upgrade itself. */
export function prepareUpgrade(options: UpgradeOptions): MigrationWatch {
  const due = pendingUpgrade(options.dataDir);
  if (due === null) return {};
  const failpoint = createFailpoint(options.config.testFailpoint);
  keepWayBack(options, due);
  failpoint("upgrade:copied");
  return {
    ...toldSteps(options),
    changed: () => failpoint("upgrade:in-step"),
  };
}

function keepWayBack({ dataDir, log, clock, config, onProgress }: UpgradeOptions, due: MigrationSpan): void {
  if (config.upgradeCopy === "never") return;
  const { from, to, bytes } = due;
  log.info("keeping the database as it is before the upgrade", { from, to, bytes });
  onProgress("Keeping the database as it is before the upgrade");
  const startedMs = performance.now();
  const room = freeBytesNow(dataDir) - config.minFreeDiskMb * MB;
  const kept = keepUpgradeCopy(dataDir, { from, to, lectern: readWriter(dataDir), at: clock.nowSeconds() }, room);
  if (kept.result === "lacking") {
    const lack = `the disk has no room for a copy of the database (${Math.ceil(kept.bytes / MB)} MiB beside the ${config.minFreeDiskMb} of --min-free-disk-mb)`;
    if (config.upgradeCopy === "always")
      throw new StartError(
        `${lack}, and --upgrade-copy always wants one before the upgrade from schema ${from} to ${to}: make room, or start with --upgrade-copy auto after a backup`,
      );
    log.warn(`${lack}: the upgrade goes on without one, and there is no way back but a backup`);
    return;
  }
  const ms = Math.round(performance.now() - startedMs);
  if (kept.result === "kept") log.info("kept the database as it was before the upgrade", { days: COPY_DAYS, ms });
}

interface MigrationSpan {
  from: number;
  to: number;
  bytes: number;
}

function toldSteps({ log, onProgress, config }: UpgradeOptions): MigrationWatch {
  const failpoint = createFailpoint(config.testFailpoint);
  const text = ({ from, to, step, steps }: MigrationStep) =>
    `upgrading the data directory from schema ${from} to ${to}: step ${step} of ${steps}`;
  let startedMs = 0;
  let stepMs = 0;
  return {
    begins(step) {
      stepMs = performance.now();
      if (step.step === 1) startedMs = stepMs;
      log.info(text(step));
      onProgress(`${text(step).replace("u", "U")}`);
    },
    committed(step) {
      failpoint("upgrade:step-done");
      const now = performance.now();
      if (now - stepMs > LONG_STEP_MS) log.info(`${text(step)} is done`, { ms: Math.round(now - stepMs) });
      if (step.step < step.steps) return;
      const { from, to, steps } = step;
      const ms = Math.round(now - startedMs);
      log.info(`upgraded the data directory from schema ${from} to ${to}`, { steps, ms });
    },
  };
}

/** Steps that take less say nothing at their end: most take a few milliseconds. */
const LONG_STEP_MS = 1000;

/** The copy that is kept before an upgrade goes when its time is over, also while the server runs. */
export function dropOldCopies({ dataDir, log, clock }: Pick<UpgradeOptions, "dataDir" | "log" | "clock">): Disposable {
  const look = () => {
    if (removeOldUpgradeCopy(dataDir, clock.nowSeconds()))
      log.info("removed the database as it was before the last upgrade", { days: COPY_DAYS });
  };
  look();
  const timer = setInterval(look, LOOK_EVERY_MS);
  timer.unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

/** Which Lectern opened a data directory last, for whoever finds it too new. */
const WRITER = "version";

export function writeWriter(dataDir: string): void {
  if (readWriter(dataDir) !== version) replaceFile(join(dataDir, WRITER), `${version}\n`);
}

function readWriter(dataDir: string): string | null {
  try {
    const text = readFileSync(join(dataDir, WRITER), "utf8").trim();
    return /^[\w.+-]{1,40}$/.test(text) ? text : null;
  } catch {
    return null;
  }
}

/** Why an executable leaves a newer directory alone, and what to do. */
export function newerText(dataDir: string, { found, known }: Pick<NewerSchemaError, "found" | "known">): string {
  const writer = readWriter(dataDir);
  return `the data directory ${dataDir} was written by a newer Lectern (${writer === null ? "" : `${writer}, `}schema ${found}), and this is ${version}, which knows schemas up to ${known}; start the newer one, let it go back with "lectern restore --before-upgrade", or choose another directory with --data`;
}
