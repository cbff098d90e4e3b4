import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { readAddedModels } from "../models/model-tables.ts";
import { scanModels } from "../models/models-dir.ts";
import { graphPath, idsPath, openManifest } from "../index/generation.ts";
import { openImage } from "../index/image-file.ts";
import { verifyFile } from "../index/part-file.ts";
import { messageOf } from "../errors.ts";
import { takeDataDir } from "../platform/data-dir.ts";
import { createBlobs } from "../storage/blobs.ts";
import { checkDatabase } from "../storage/check.ts";

/** One line of `lectern doctor`. */
export interface Check {
  name: string;
  state: "ok" | "warn" | "fail";
  detail: string;
}

/** Directories that are made again from the database and the uploaded files. */
const CACHES = ["stores", "parsed", "native"];

/**
 * Looks into a data directory while nobody uses it: the database, the uploaded bytes, the models, the graphs.
 * With `fix`, every cache is removed; the next start makes it again.
 */
export async function contentChecks(directory: string, fix: boolean): Promise<Check[]> {
  const path = resolve(directory);
  if (!existsSync(join(path, "meta.sqlite"))) return [];
  let held: Disposable;
  try {
    held = takeDataDir(path);
  } catch (error) {
    // Another process holds it, or it may not be used, which its permissions say.
    const inUse = messageOf(error).startsWith("another Lectern");
    const reason = inUse ? "stop the server first: its data directory is in use" : messageOf(error);
    if (fix) return [{ name: "fix", state: "fail", detail: reason }];
    const detail = inUse ? "in use by a running server, not looked into" : reason;
    return [{ name: "content", state: inUse ? "ok" : "fail", detail }];
  }
  try {
    const checks = [databaseCheck(path), await modelsCheck(path), await graphsCheck(path)];
    if (fix) {
      for (const name of CACHES) rmSync(join(path, name), { recursive: true, force: true });
      checks.push({
        name: "fix",
        state: "ok",
        detail: `removed ${CACHES.join(", ")}: made again at the next start or use`,
      });
    }
    return checks;
  } finally {
    held[Symbol.dispose]();
  }
}

function databaseCheck(path: string): Check {
  const name = "database";
  try {
    const blobs = createBlobs(path);
    const report = checkDatabase(path, blobs.path);
    const { found, known } = report.schema;
    const problems = [
      ...(report.integrity === "ok" ? [] : [report.integrity]),
      ...(found > known ? [`schema version ${found} is of a newer Lectern (this one knows ${known})`] : []),
      ...(report.wrongCounts === 0 ? [] : [`${report.wrongCounts} stores have wrong counts`]),
      ...(report.missingBytes === 0 ? [] : [`the bytes of ${report.missingBytes} files are missing`]),
    ];
    if (problems.length > 0) return { name, state: "fail", detail: `${problems.join("; ")}; restore a backup` };
    return { name, state: "ok", detail: `${report.stores} stores, ${report.files} files, schema version ${found}` };
  } catch (error) {
    return {
      name,
      state: "fail",
      detail: `cannot be read (${messageOf(error)}); restore a backup`,
    };
  }
}

async function modelsCheck(path: string): Promise<Check> {
  const found = await scanModels(join(path, "models"));
  const added = readAddedModels(path);
  const waiting = added.ok ? added.tables.models.filter((model) => model.inactive === true) : [];
  const broken = [
    ...found.flatMap((model) => (model.ok ? [] : [`${model.id}: ${model.problems.join(", ")}`])),
    ...(added.ok ? [] : [added.problem]),
    ...waiting.map(({ id }) => `${id}: inactive until lectern models verify ${id}`),
  ];
  if (broken.length > 0) return { name: "models", state: "warn", detail: broken.join("; ") };
  return { name: "models", state: "ok", detail: `the bundled one and ${found.length} added` };
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
  if (damaged.length === 0)
    return { name: "indexes", state: "ok", detail: `${parts} graph files and ${images} images, every checksum right` };
  return {
    name: "indexes",
    state: "warn",
    detail: `damaged: ${[...new Set(damaged)].join(", ")}; built again at the next start`,
  };
}
