import {
  closeSync,
  createReadStream,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { Value } from "@sinclair/typebox/value";
import { readBackup, type BackupManifest } from "../platform/backup-archive.ts";
import { TarError } from "../platform/tar.ts";
import { parseArguments } from "./arguments.ts";
import type { Flags } from "./arguments.ts";
import { ErrorBody, RequestFailed } from "./client.ts";
import { connect, CONNECTION_FLAGS } from "./connect.ts";
import { formatBytes, UsageError } from "./terminal.ts";
import type { Terminal } from "./terminal.ts";

export const BACKUP_FLAGS = CONNECTION_FLAGS;

export const RESTORE_FLAGS = {
  data: { value: "DIR", help: "data directory to make; it must be empty or missing. ./lectern-data unless set" },
  check: { help: "only check the backup" },
} as const satisfies Flags;

/** `lectern backup FILE`: one consistent file, taken while the server works; whole or absent. */
export async function backup(argv: readonly string[], terminal: Terminal): Promise<number> {
  const args = parseArguments(argv, BACKUP_FLAGS);
  const [path, ...more] = args.words;
  if (path === undefined || more.length > 0) throw new UsageError("Say where to: lectern backup FILE.");
  await using connection = await connect(args, terminal, { mayCreate: false });
  const { url, key } = connection.client.server;
  const response = await fetch(`${url}/v1/admin/backup`, {
    headers: { authorization: `Bearer ${key}` },
    signal: terminal.signal,
    redirect: "manual",
  });
  if (!response.ok || response.body === null)
    throw new RequestFailed(`the server refused: ${await messageOf(response)}`, response.status, null);
  const partial = `${path}.partial`;
  let bytes = 0;
  const file = openSync(partial, "w", 0o600);
  try {
    for await (const piece of response.body) {
      writeSync(file, piece);
      bytes += piece.byteLength;
    }
    fsyncSync(file);
  } catch (error) {
    rmSync(partial, { force: true });
    throw new RequestFailed("the backup broke off", 0, null, { cause: error });
  } finally {
    closeSync(file);
  }
  try {
    await check(partial);
  } catch (error) {
    rmSync(partial, { force: true });
    throw error;
  }
  renameSync(partial, path);
  syncDirectory(dirname(resolve(path)));
  terminal.err(`Backup of ${formatBytes(bytes)} written to ${path}\n`);
  return 0;
}

/** `lectern restore FILE`: checks every byte, then makes the data directory in one step. */
export async function restore(argv: readonly string[], terminal: Terminal): Promise<number> {
  const args = parseArguments(argv, RESTORE_FLAGS);
  const [path, ...more] = args.words;
  if (path === undefined || more.length > 0) throw new UsageError("Say what from: lectern restore FILE --data DIR.");
  if (!existsSync(path)) throw new UsageError(`There is no file ${path}.`);
  const dataDir = resolve(args.get("data") ?? terminal.env["LECTERN_DATA"] ?? "./lectern-data");
  const manifest = await check(path);
  const from = `a backup of ${new Date(manifest.created_at * 1000).toISOString()} by Lectern ${manifest.lectern}`;
  if (args.has("check")) {
    terminal.out(`${path} is whole: ${from}, ${manifest.files} files\n`);
    return 0;
  }
  if (existsSync(dataDir) && readdirSync(dataDir).length > 0) {
    throw new UsageError(`${dataDir} is not empty. Choose another directory with --data, or move it away.`);
  }
  const partial = `${dataDir}.restoring`;
  rmSync(partial, { recursive: true, force: true });
  try {
    await readBackup(createReadStream(path), async (name, content) => {
      const target = join(partial, name);
      mkdirSync(dirname(target), { recursive: true, mode: 0o700 });
      const file = openSync(target, "wx", 0o600);
      try {
        for await (const piece of content) writeSync(file, piece);
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
    });
    rmSync(dataDir, { recursive: true, force: true });
    renameSync(partial, dataDir);
    syncDirectory(dirname(dataDir));
  } catch (error) {
    rmSync(partial, { recursive: true, force: true });
    throw refusal(path, error);
  }
  terminal.err(`Restored ${from} into ${dataDir}. Start it with: lectern serve --data ${dataDir}\n`);
  return 0;
}

async function check(path: string): Promise<BackupManifest> {
  try {
    return await readBackup(createReadStream(path), async (_name, content) => {
      for await (const _ of content);
    });
  } catch (error) {
    throw refusal(path, error);
  }
}

function refusal(path: string, error: unknown): unknown {
  return error instanceof TarError
    ? new UsageError(`${path} cannot be restored: ${error.message}. Nothing was changed.`)
    : error;
}

async function messageOf(response: Response): Promise<string> {
  const text = await response.text();
  try {
    const answer: unknown = JSON.parse(text);
    if (Value.Check(ErrorBody, answer)) return answer.error.message;
  } catch {
    // Not even JSON: something else than the server answered.
  }
  return `status ${response.status}`;
}

function syncDirectory(path: string): void {
  const handle = openSync(path, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
