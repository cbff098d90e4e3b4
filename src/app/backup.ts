import { existsSync, readdirSync, statSync } from "node:fs";
import { join, relative, sep } from "node:path";
import type { BeginBackup } from "../api/backup/routes.ts";
import { type BackupFile, fileForBackup, writeBackup } from "../platform/backup-archive.ts";
import { AppError } from "../errors.ts";
import { version } from "../platform/build-info.ts";
import type { Clock } from "../platform/clock.ts";
import { blobName } from "../storage/blob-directory.ts";
import { takeSnapshot } from "../storage/snapshot.ts";
import { knownLanguages, languageDirectory } from "../workers/ocr-languages.ts";
import type { OpenStorage } from "./open-storage.ts";

/** Backups of a running server: the database, the uploaded bytes, models and languages dropped in. Caches are made again. */
export function backups({ data, dataDir, clock }: { data: OpenStorage; dataDir: string; clock: Clock }): BeginBackup {
  const { embedded, storage, blobs } = data;
  return async () => {
    if (embedded === null) throw new AppError("backup_elsewhere", ELSEWHERE);
    const snapshot = await takeSnapshot(embedded.database, storage, blobs, embedded.path);
    if (snapshot === null) return null;
    const files: BackupFile[] = [
      fileForBackup("meta.sqlite", snapshot.database.path, snapshot.database.bytes),
      ...snapshot.blobs.map(({ id, bytes }) => ({ name: blobName(id), bytes, read: () => blobs.read(id) })),
      ...addedFiles(dataDir).map((path) => fileForBackup(relative(dataDir, path), path, statSync(path).size)),
    ];
    return { pieces: writeBackup({ lectern: version, created_at: clock.nowSeconds() }, files), end: snapshot.end };
  };
}

const ELSEWHERE =
  "The database of this server is the one that --database names: back it up with its own tools (pg_dump, pg_basebackup, snapshots), and the bytes of uploads after it, in the place that --blobs names.";

/** Models and languages that an operator has added to a data directory, as files. */
export function addedFiles(dataDir: string): string[] {
  return [
    ...knownLanguages(languageDirectory(dataDir))
      .filter((language) => !language.isBuiltIn)
      .map(({ path }) => path),
    ...filesBelow(join(dataDir, "models")),
    join(dataDir, REMOTE_MODELS),
  ].filter((path) => existsSync(path));
}

/** Remote models that were added by the operator; it holds no keys. */
const REMOTE_MODELS = "models.toml";

/** Hidden ones are not among them: those are models on their way in or out. */
function filesBelow(directory: string): string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter(
      (path) =>
        !relative(directory, path)
          .split(sep)
          .some((part) => part.startsWith(".")),
    );
}
