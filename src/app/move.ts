/**
 * The way from a data directory to a database elsewhere, while no server runs on either. Until the last step the database
 * is marked as half moved and nothing serves it, so that a move may be ended at any instant and called again.
 */
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Config } from "../config/config.ts";
import { assert } from "../errors.ts";
import { StartError, takeDataDir } from "../platform/data-dir.ts";
import { createFailpoint, type Failpoint } from "../platform/failpoint.ts";
import { createBlobs } from "../storage/blob-directory.ts";
import type { Blobs } from "../storage/blobs.ts";
import { compareRows, type Difference, moveRows, type RowProgress } from "../storage/move/move-rows.ts";
import { MoveRefused, openMoveSource, type MoveSource } from "../storage/move/source.ts";
import { type MoveTarget, openMoveTarget } from "../storage/move/target.ts";
import { parseAddress } from "../storage/postgres/address.ts";
import { openRemoteStorage } from "../storage/postgres/storage.ts";
import { type BlobCensus, copyAdded, copyBlobs, countBlobs } from "./move-blobs.ts";
import { compareSearches, type SearchesCompared } from "./move-searches.ts";
import { type BlobSettings, openBlobPlace } from "./open-blobs.ts";
import type { DatabaseSettings } from "./open-remote.ts";

export type MoveSettings = DatabaseSettings &
  BlobSettings &
  Pick<Config, "dataDir" | "testFailpoint"> & { database: string };

export interface MoveOptions {
  /** The data directory of the server that is to be: gets models and languages, and the bytes where `--blobs` names no place. */
  into: string | null;
  /** Searches that both sides are asked at the end. */
  searches: number;
  signal: AbortSignal;
  tell: MoveTeller;
}

/** Told how a move goes. */
export interface MoveTeller {
  /** What is being done from now on. */
  stage(text: string): void;
  rows: RowProgress;
  blobs(done: number, of: number): void;
  searches(done: number, of: number): void;
  notice(text: string): void;
}

/** What is there to be moved, and whether it can be. */
export interface MovePlan {
  source: { tables: { name: string; rows: number }[]; bytes: number };
  database: string;
  /** An earlier call began it. */
  goesOn: boolean;
  blobs: BlobCensus;
}

/** What was compared; equal where there are no differences. */
export interface MoveProof {
  rows: number;
  tables: number;
  differences: Difference[];
  searches: SearchesCompared;
  /** Bytes of uploads that are not in the new place. */
  missingBlobs: string[];
}

/** Everything open that a move works with. */
interface Parts {
  source: MoveSource;
  target: MoveTarget;
  dataDir: string;
  /** Where the bytes of uploads go; null: a directory that is not there yet. */
  place: Blobs | null;
  shown: string;
  failpoint: Failpoint;
  signal: AbortSignal;
}

/** Looks, and changes nothing. @throws StartError for what cannot be moved, with the way out */
export async function planMove(settings: MoveSettings, options: MoveOptions): Promise<MovePlan> {
  return await withParts(settings, options, false, async (parts) => {
    const { source, target, shown } = parts;
    const before = await target.refusal(source);
    const tables = source.tables.map((table) => ({ name: table.name, rows: source.count(table) }));
    return {
      source: { tables, bytes: source.bytes },
      database: shown,
      goesOn: before !== null && before.state === source.state,
      blobs: await censusOf(parts),
    };
  });
}

/** Moves, compares, and lets the database be served where both are equal. @throws StartError with the way out */
export async function move(settings: MoveSettings, options: MoveOptions): Promise<MoveProof> {
  const { tell, into } = options;
  return await withParts(settings, options, true, async (parts) => {
    const { source, target, place, failpoint, signal, dataDir } = parts;
    assert(place !== null, "a place for bytes that is not there");
    const census = await censusOf(parts);
    if (census.missing.length > 0) throw new StartError(missingText(census.missing));
    if ((await target.begin(source, dataDir, failpoint)) === "goes on")
      tell.stage("Going on with the move that was begun");
    failpoint("move:begun");
    if (census.here.length > 0) tell.stage("Copying the bytes of uploads");
    const own = createBlobs(dataDir);
    const onBlob = (done: number) => tell.blobs(done, census.here.length);
    await copyBlobs(census, { own, place, signal, failpoint, onBlob });
    if (into !== null) copyAdded(dataDir, into);
    tell.stage("Moving rows");
    await moveRows({ source, target, signal, failpoint, onRows: onRowsOf(tell) });
    failpoint("move:rows");
    const proof = await compare(parts, options);
    failpoint("move:compared");
    if (isEqual(proof)) await target.end(source, Math.floor(Date.now() / 1000));
    failpoint("move:ended");
    return proof;
  });
}

/** Compares a data directory with the database that it was moved to; changes neither. @throws StartError */
export async function verifyMove(settings: MoveSettings, options: MoveOptions): Promise<MoveProof> {
  return await withParts(settings, options, false, async (parts) => {
    await parts.target.assertMoved(parts.source);
    return await compare(parts, options);
  });
}

export function isEqual({ differences, searches, missingBlobs }: MoveProof): boolean {
  return differences.length === 0 && searches.differences.length === 0 && missingBlobs.length === 0;
}

async function compare(parts: Parts, { searches: count, tell, signal }: MoveOptions): Promise<MoveProof> {
  const { source, target, dataDir } = parts;
  tell.stage("Comparing rows");
  const rows = await compareRows({ source, target, signal, onRows: onRowsOf(tell) });
  tell.stage("Comparing searches");
  using remote = await openRemoteStorage(target.db, join(dataDir, "tmp", "move-index.sqlite"));
  const onSearches = (done: number) => tell.searches(done, count);
  // Rows that differ are reason enough.
  const searches =
    rows.differences.length > 0
      ? { searches: 0, stores: 0, differences: [] }
      : await compareSearches({ here: source.storage, there: remote.storage }, { count, signal, onSearches });
  const { missing, here } = await censusOf(parts);
  return { ...rows, searches, missingBlobs: [...missing, ...here.map(({ id }) => id)] };
}

const onRowsOf =
  (tell: MoveTeller): RowProgress =>
  (...progress) =>
    tell.rows(...progress);

async function censusOf({ source, dataDir, place, signal }: Parts): Promise<BlobCensus> {
  return await countBlobs(source, { own: createBlobs(dataDir), place, signal });
}

/** Opens both sides. `isMade`: the directory that `--into` names is made. */
async function withParts<T>(
  settings: MoveSettings,
  { into, tell, signal }: MoveOptions,
  isMade: boolean,
  work: (parts: Parts) => Promise<T>,
): Promise<T> {
  if (settings.offline)
    throw new StartError("--offline refuses every outbound connection, so --database cannot be used with it");
  const path = join(resolve(settings.dataDir), "meta.sqlite");
  if (!existsSync(path))
    throw new StartError(`${settings.dataDir} holds no database; name a data directory with --data`);
  const address = parseAddress(settings.database, settings.databasePassword ?? undefined);
  await using stack = new AsyncDisposableStack();
  const held = stack.use(takeDataDir(settings.dataDir, "move"));
  try {
    const source = stack.use(openMoveSource(join(held.path, "meta.sqlite")));
    const place = await placeOf(settings, { dataDir: held.path, into, isMade }, stack);
    const target = stack.use(
      await openMoveTarget(settings.database, {
        password: settings.databasePassword ?? undefined,
        timeout: settings.databaseTimeout * 1000,
        onNotice: (text) => tell.notice(text),
      }),
    );
    return await work({
      source,
      target,
      place,
      dataDir: held.path,
      shown: address.shown,
      failpoint: createFailpoint(settings.testFailpoint),
      signal,
    });
  } catch (error) {
    if (!(error instanceof MoveRefused)) throw error;
    const subject = error.side === "target" ? `the database ${address.shown} ` : "";
    throw new StartError(subject + error.message, { cause: error });
  }
}

/** Where the bytes of uploads go. A directory of their own is made, and held, only where something is to be put there. */
async function placeOf(
  settings: MoveSettings,
  { dataDir, into, isMade }: { dataDir: string; into: string | null; isMade: boolean },
  stack: AsyncDisposableStack,
): Promise<Blobs | null> {
  if (into !== null && resolve(into) === dataDir)
    throw new StartError("--into names the data directory that is moved; a server on the database needs another one");
  if (into !== null && existsSync(join(into, "meta.sqlite")))
    throw new StartError(`${into} holds a database of its own; name another directory with --into`);
  const place = await openBlobPlace(settings, dataDir);
  if (place === null && into === null)
    throw new StartError(
      "say where the bytes of uploads go: --blobs PLACE for servers that share them, or --into DIR for the data directory of the one server that is to be",
    );
  if (isMade && into !== null) stack.use(takeDataDir(into, "move"));
  if (place !== null || into === null) return place;
  return existsSync(join(into, "blobs")) || isMade ? createBlobs(into) : null;
}

function missingText(missing: readonly string[]): string {
  const shown = missing.slice(0, 3).join(", ") + (missing.length > 3 ? " …" : "");
  return `the bytes of ${missing.length} uploads (${shown}) are neither in the data directory nor in the place that they are to go to. Where the server kept them in another place, start it once with the new --blobs, which moves them; what is lost has to be deleted before`;
}
