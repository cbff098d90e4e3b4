import { existsSync, readdirSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { readAddedModels } from "../models/model-tables.ts";
import { scanModels } from "../models/models-dir.ts";
import { graphPath, idsPath, openManifest } from "../index/generation.ts";
import { openImage } from "../index/image-file.ts";
import { verifyFile } from "../index/part-file.ts";
import { messageOf } from "../errors.ts";
import { takeDataDir } from "../platform/data-dir.ts";
import { BlobGoneError } from "../storage/blobs.ts";
import { checkDatabase, type DatabaseReport } from "../storage/check.ts";
import { type BytesPlace, bytesPlace, type BytesSettings } from "./doctor-bytes.ts";
import { type Check, counted, type DoctorOptions, fail, ok, someOf, warn } from "./doctor-check.ts";
import { leftoversCheck, mend } from "./doctor-place.ts";

/** Directories that are made again from the database and the uploaded files. */
const CACHES = ["stores", "parsed", "native"];

/** Rows of machines whose clocks differ are not further ahead. */
const AHEAD_SECONDS = 300;

/**
 * Looks into a data directory while nobody uses it: the database, the uploaded bytes, the models, the graphs.
 * With `fix`, every cache and what interrupted work left is removed, and modes are closed.
 */
export async function contentChecks(settings: BytesSettings, { fix, full }: DoctorOptions): Promise<Check[]> {
  const path = resolve(settings.dataDir);
  if (!existsSync(join(path, "meta.sqlite"))) return [];
  let held: Disposable;
  // Taking it empties its folder of temporary files, so what was left is looked at before.
  const left = leftoversCheck(path);
  try {
    held = takeDataDir(path, "doctor");
  } catch (error) {
    // Another process holds it, or it may not be used, which its permissions say.
    const inUse = messageOf(error).startsWith("another Lectern");
    const reason = inUse ? "stop the server first: its data directory is in use" : messageOf(error);
    if (fix) return [fail("fix", reason)];
    return [inUse ? ok("content", "in use by a running server, not looked into") : fail("content", reason)];
  }
  try {
    const place = await bytesPlace(path, settings);
    const found = databaseReport(path, full, place);
    const checks = [
      ...(found.ok
        ? databaseChecks(place.isAll ? found.report : { ...found.report, missingBytes: 0 }, place)
        : [fail("database", found.problem)]),
      ...(place.check === null ? [] : [place.check]),
      ...(full && found.ok ? [await bytesCheck(place, found.report)] : []),
      await modelsCheck(path, found.ok ? found.report.models : []),
      await graphsCheck(path),
      left,
    ];
    if (fix) checks.push(ok("fix", mend(path, CACHES)));
    return checks;
  } finally {
    held[Symbol.dispose]();
  }
}

type Found = { ok: true; report: DatabaseReport } | { ok: false; problem: string };

function databaseReport(path: string, full: boolean, { pathOf, here }: BytesPlace): Found {
  try {
    return { ok: true, report: checkDatabase(path, { pathOf, blobs: here, full }) };
  } catch (error) {
    return { ok: false, problem: `cannot be read (${messageOf(error)}); restore a backup` };
  }
}

function databaseChecks(report: DatabaseReport, place: BytesPlace): Check[] {
  const { found, known } = report.schema;
  const elsewhere = place.check === null ? " (if they are elsewhere, say where with --blobs)" : "";
  const problems = [
    ...(report.integrity === "ok" ? [] : [report.integrity]),
    ...(found > known ? [`schema version ${found} is of a newer Lectern (this one knows ${known})`] : []),
    ...(report.wrongCounts === 0 ? [] : [`${report.wrongCounts} stores have wrong counts`]),
    ...(report.missingBytes === 0 ? [] : [`the bytes of ${report.missingBytes} files are missing${elsewhere}`]),
  ];
  if (problems.length > 0) return [fail("database", `${problems.join("; ")}; restore a backup`)];
  const upgrade = found < known ? `, upgraded to ${known} at the next start` : "";
  const orphans = report.orphans === 0 ? "" : `; ${counted(report.orphans, "interrupted upload")} go at the next start`;
  const detail = `${report.stores} stores, ${report.files} files, schema version ${found}${upgrade}${orphans}`;
  const ahead = report.newestAt - Date.now() / 1000;
  if (ahead < AHEAD_SECONDS) return [ok("database", detail)];
  const when = new Date(report.newestAt * 1000).toISOString();
  return [ok("database", detail), warn("time", `the newest row was written ${when}: the clock was set back since`)];
}

/** Every uploaded byte against the hash that was taken when it came. What is gone from the data directory was told already. */
async function bytesCheck(place: BytesPlace, { hashes }: DatabaseReport): Promise<Check> {
  const [changed, gone, unseen]: [string[], string[], string[]] = [[], [], []];
  for (const { id, sha256 } of hashes) {
    if (place.isAll && !existsSync(place.pathOf(id))) continue;
    const bytes = place.read(id);
    if (bytes === null) {
      unseen.push(id);
      continue;
    }
    try {
      const hasher = new Bun.CryptoHasher("sha256");
      for await (const piece of bytes) hasher.update(piece);
      if (hasher.digest("hex") !== sha256) changed.push(id);
    } catch (error) {
      (error instanceof BlobGoneError ? gone : unseen).push(id);
    }
  }
  const problems = [
    ...(changed.length === 0 ? [] : [`not as they were uploaded: ${someOf(changed)}`]),
    ...(gone.length === 0 ? [] : [`missing: ${someOf(gone)}`]),
  ];
  if (problems.length > 0) return fail("bytes", `${problems.join("; ")}; restore a backup`);
  if (unseen.length > 0)
    return warn("bytes", `${counted(unseen.length, "file")} could not be read where they are kept`);
  return ok("bytes", `${counted(hashes.length, "file")}, every byte as it was uploaded`);
}

async function modelsCheck(path: string, used: DatabaseReport["models"]): Promise<Check> {
  const found = await scanModels(join(path, "models"));
  const added = readAddedModels(path);
  const waiting = added.ok ? added.tables.models.filter((model) => model.inactive === true) : [];
  const revisions = new Map(found.flatMap((model) => (model.ok ? [[model.id, model.revision] as const] : [])));
  // The revision is a hash of the files that are read.
  const changed = used.filter(({ model, revision }) => (revisions.get(model) ?? revision) !== revision);
  const broken = [
    ...found.flatMap((model) => (model.ok ? [] : [`${model.id}: ${model.problems.join(", ")}`])),
    ...(added.ok ? [] : [added.problem]),
    ...waiting.map(({ id }) => `${id}: inactive until lectern models verify ${id}`),
    ...changed.map(({ model }) => `${model}: its files are not those that stores were indexed with; migrate them`),
  ];
  if (broken.length > 0) return warn("models", broken.join("; "));
  return ok("models", `those inside and ${found.length} added`);
}

/** A damaged graph or image is no harm: it is built again. */
async function graphsCheck(path: string): Promise<Check> {
  const root = join(path, "stores");
  let parts = 0;
  let images = 0;
  const damaged: string[] = [];
  for (const store of existsSync(root) ? readdirSync(root) : []) {
    for (const generation of readdirSync(join(root, store))) {
      const directory = join(root, store, generation);
      if (!statSync(directory).isDirectory()) {
        // What was not finished has another ending.
        if (!generation.endsWith(".image")) continue;
        images += 1;
        if (!(await openImage(directory, null)).ok) damaged.push(`${store}/${generation}`);
        continue;
      }
      const entries = openManifest(directory);
      if (entries === null) {
        damaged.push(`${store}/${generation}`);
        continue;
      }
      for (const entry of entries) {
        parts += 1;
        try {
          await verifyFile(graphPath(directory, entry.serial), entry.graph);
          await verifyFile(idsPath(directory, entry.serial), entry.ids);
        } catch {
          damaged.push(`${store}/${generation}`);
        }
      }
    }
  }
  if (damaged.length === 0) return ok("indexes", `${parts} graph files and ${images} images, every checksum right`);
  return warn("indexes", `damaged: ${[...new Set(damaged)].join(", ")}; built again at the next start`);
}
