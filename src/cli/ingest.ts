import { basename } from "node:path";
import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import { integerFlag, parseArguments } from "./arguments.ts";
import type { Arguments, Flags } from "./arguments.ts";
import { findStore, listAll, RequestFailed, StoreRow } from "./client.ts";
import type { Client } from "./client.ts";
import { collectFiles } from "./collect.ts";
import type { FoundFile } from "./collect.ts";
import { connect, CONNECTION_FLAGS } from "./connect.ts";
import { createProgress } from "./progress.ts";
import type { Outcome, Progress } from "./progress.ts";
import { formatBytes, formatDuration, printable, UsageError } from "./terminal.ts";
import type { Terminal } from "./terminal.ts";
import { messageOf } from "../platform/error-text.ts";

export const INGEST_FLAGS = {
  store: { value: "NAME", help: "name or id of the vector store" },
  include: { value: "GLOB", help: "only files whose path or name matches, e.g. '*.pdf'", many: true },
  exclude: { value: "GLOB", help: "no files whose path or name matches", many: true },
  attributes: { value: "KEY=VALUE", help: "kept with each file, for filters in searches", many: true },
  concurrency: { value: "N", help: "files in flight at the same time, 8 unless set" },
  ...CONNECTION_FLAGS,
} as const satisfies Flags;

type Attributes = Record<string, string | number | boolean>;

const StoreFile = Type.Object({
  id: Type.String(),
  status: Type.String(),
  last_error: Type.Union([Type.Object({ code: Type.String(), message: Type.String() }), Type.Null()]),
  attributes: Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.Null()]),
});
type StoreFile = Static<typeof StoreFile>;
const Id = Type.Object({ id: Type.String() });

/** Exit status 1 if a file failed, 130 if it was interrupted. */
export async function ingest(argv: readonly string[], terminal: Terminal): Promise<number> {
  const args = parseArguments(argv, INGEST_FLAGS);
  const storeWord = args.get("store");
  if (args.words.length === 0 || !storeWord)
    throw new UsageError("Say what goes where: lectern ingest PATH... --store NAME.");
  const attributes = readAttributes(args);
  const concurrency = integerFlag("concurrency", args.get("concurrency"), 8, 1, 64);
  const avoid = args.get("data") ?? terminal.env["LECTERN_DATA"] ?? "./lectern-data";
  const { files, skipped } = collectFiles(args.words, {
    include: args.all("include"),
    exclude: args.all("exclude"),
    avoid,
  });
  const left = [...skipped].map(([reason, count]) => `${count} ${reason}`).join(", ");
  if (left) terminal.err(`left out: ${left}\n`);
  if (files.length === 0) throw new UsageError("There is no file to ingest.");

  await using connection = await connect(args, terminal, { mayCreate: true });
  const { client } = connection;
  const started = performance.now();
  const progress = createProgress(terminal, { files: files.length, bytes: sum(files) }, () => performance.now());
  let storeId: string;
  try {
    const store =
      (await findStore(client, storeWord, terminal.signal)) ??
      (await client.send(StoreRow, "POST", "/v1/vector_stores", { name: storeWord }));
    storeId = store.id;
    const known = await knownFiles(client, storeId, terminal.signal);
    const work = { client, storeId, known, attributes, signal: terminal.signal };
    await inParallel(concurrency, files, terminal.signal, async (file) => {
      const outcome = await oneFile(work, file);
      if (outcome) progress.settle(file, outcome);
    });
  } finally {
    progress.finish();
  }
  return report(terminal, progress, files.length, storeWord, storeId, (performance.now() - started) / 1000);
}

function report(
  terminal: Terminal,
  progress: Progress,
  total: number,
  word: string,
  storeId: string,
  seconds: number,
): number {
  const { indexed, unchanged, failed, bytes } = progress.counts;
  if (failed > 0) {
    terminal.err(`${failed} failed:\n`);
    for (const { key, reason } of progress.failures) terminal.err(`  ${printable(key)}: ${printable(reason)}\n`);
  }
  const rest = total - indexed - unchanged - failed;
  terminal.out(
    `${indexed} indexed, ${unchanged} unchanged, ${failed} failed${rest > 0 ? `, ${rest} not reached` : ""} ` +
      `(${formatBytes(bytes)} in ${formatDuration(seconds)}) in store ${printable(word)} ${storeId}\n`,
  );
  if (rest > 0) terminal.err("Interrupted; the same command goes on from here.\n");
  return rest > 0 ? 130 : failed > 0 ? 1 : 0;
}

interface Work {
  client: Client;
  storeId: string;
  known: Map<string, StoreFile>;
  attributes: Attributes;
  signal: AbortSignal;
}

/** null when the signal came before the file was begun; what has been begun is attached, so that nothing is orphaned. */
async function oneFile({ client, storeId, known, attributes, signal }: Work, file: FoundFile): Promise<Outcome | null> {
  if (signal.aborted) return null;
  const path = `/v1/vector_stores/${storeId}/files`;
  try {
    const sha256 = await sha256Of(file.path);
    const before = known.get(file.key);
    let current = before;
    const same = before?.attributes?.["sha256"] === sha256;
    if (!same || before.status === "failed" || before.status === "cancelled") {
      const form = new FormData();
      form.set("purpose", "assistants");
      form.set("file", Bun.file(file.path), basename(file.path));
      const uploaded = await client.send(Id, "POST", "/v1/files", form);
      const body = { file_id: uploaded.id, attributes: { ...attributes, path: file.key, sha256 } };
      current = await client.send(StoreFile, "POST", path, body);
    } else if (before.status === "completed") return { kind: "unchanged" };
    if (!current) return null;

    for (let pauseMs = 20; current.status === "in_progress"; pauseMs = Math.min(1000, pauseMs * 1.5)) {
      await Bun.sleep(pauseMs);
      if (signal.aborted) return null;
      current = await client.send(StoreFile, "GET", `${path}/${current.id}`);
    }
    const done = current.status === "completed";
    // The old version is searchable until the new one is; where the new one failed, the old one stays.
    if (before && before.id !== current.id && (done || same)) await client.send(Id, "DELETE", `/v1/files/${before.id}`);
    if (done) return { kind: "indexed" };
    return { kind: "failed", reason: current.last_error?.message ?? current.status };
  } catch (error) {
    if (error instanceof RequestFailed && (error.status === 401 || error.status === 403 || error.status === 0))
      throw error;
    return { kind: "failed", reason: messageOf(error) };
  }
}

/** The store's files by the path they were ingested under; of several, the one that is worth most. */
async function knownFiles(client: Client, storeId: string, signal: AbortSignal): Promise<Map<string, StoreFile>> {
  const known = new Map<string, StoreFile>();
  for await (const file of listAll(client, StoreFile, `/v1/vector_stores/${storeId}/files`, signal)) {
    const path = file.attributes?.["path"];
    if (typeof path !== "string") continue;
    const before = known.get(path);
    if (!before || before.status !== "completed" || file.status === "completed") known.set(path, file);
  }
  return known;
}

async function sha256Of(path: string): Promise<string> {
  const hasher = new Bun.CryptoHasher("sha256");
  for await (const piece of Bun.file(path).stream()) hasher.update(piece);
  return hasher.digest("hex");
}

/** At most `limit` at a time, in order; the first error stops the rest and is thrown. */
async function inParallel<T>(
  limit: number,
  items: readonly T[],
  signal: AbortSignal,
  run: (item: T) => Promise<void>,
): Promise<void> {
  let next = 0;
  let failed = false;
  const lane = async () => {
    while (!failed && !signal.aborted) {
      const item = items[next++];
      if (item === undefined) return;
      try {
        await run(item);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const results = await Promise.allSettled(Array.from({ length: Math.min(limit, items.length) }, lane));
  for (const result of results) if (result.status === "rejected") throw result.reason;
}

/** `year=2024` is a number, `draft=true` a boolean, everything else text. */
function readAttributes(args: Arguments<typeof INGEST_FLAGS>): Attributes {
  const attributes: Attributes = {};
  for (const pair of args.all("attributes")) {
    const equals = pair.indexOf("=");
    const key = pair.slice(0, equals);
    if (equals < 1) throw new UsageError(`--attributes takes KEY=VALUE, not ${JSON.stringify(pair)}.`);
    if (key === "path" || key === "sha256")
      throw new UsageError(`The attribute ${key} is kept by ingest itself; choose another name.`);
    attributes[key] = typedValue(pair.slice(equals + 1));
  }
  return attributes;
}

export function typedValue(text: string): string | number | boolean {
  if (text === "true" || text === "false") return text === "true";
  return /^-?(0|[1-9]\d{0,14})(\.\d{1,12})?$/.test(text) ? Number(text) : text;
}

const sum = (files: readonly FoundFile[]) => files.reduce((total, file) => total + file.bytes, 0);
