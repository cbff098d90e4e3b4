/** One file into a store: recognised, moved, or uploaded, attached and waited for. `known` is kept as it then is. */
import { Type } from "@sinclair/typebox";
import { RequestFailed } from "./client.ts";
import type { Client } from "./client.ts";
import { messageOf } from "../errors.ts";
import type { FileName, Named } from "./names.ts";
import type { Outcome } from "./progress.ts";
import { StoreFile } from "./store-files.ts";
import type { StoreFiles } from "./store-files.ts";
import { uploadFile } from "./upload.ts";

export interface NamedFile extends Named {
  /** Where it is. */
  path: string;
  bytes: number;
  /** Of a file that was found: changes whenever it does. */
  stamp?: string;
}

export interface IngestDeps {
  client: Client;
  storeId: string;
  /** What the store holds; changed with it. */
  known: StoreFiles;
  attributes: Readonly<Record<string, string | number | boolean>>;
  /** Tells how much of a file is done, 0 to 1. */
  onShare: (file: NamedFile, share: number) => void;
}

/** Of a file's way into the index, the part that the upload is; what a server says of its own work is the rest. */
const UPLOAD_SHARE = 0.3;
const STAGES: Readonly<Record<string, readonly [from: number, to: number]>> = {
  queued: [0.3, 0.3],
  parse: [0.3, 0.45],
  chunk: [0.45, 0.5],
  embed: [0.5, 0.95],
  index: [0.95, 1],
};
const POLL_MS = { first: 20, last: 1000 };
const Deleted = Type.Object({ id: Type.String() });

export class FileIngest {
  readonly #deps: IngestDeps;
  readonly #signal: AbortSignal;

  constructor(deps: IngestDeps, signal: AbortSignal) {
    this.#deps = deps;
    this.#signal = signal;
  }

  /**
   * null when the signal came before the file was in the store; an upload that came to nothing by then is taken back.
   * Throws what concerns every file: a key that is refused, a server that is gone.
   */
  async run(file: NamedFile): Promise<Outcome | null> {
    if (this.#signal.aborted) return null;
    try {
      return await this.#ingest(file);
    } catch (error) {
      if (this.#signal.aborted) return null;
      if (error instanceof RequestFailed && (error.status === 401 || error.status === 403 || error.status === 0))
        throw error;
      const isPassing = error instanceof RequestFailed && (error.status === 429 || error.status >= 500);
      return { kind: "failed", reason: messageOf(error), ...(isPassing && { isPassing }) };
    }
  }

  /** What the store holds under another name is this file from now on; nothing is indexed again. */
  async move(file: NamedFile, stored: StoreFile): Promise<Outcome> {
    const from = stored.attributes?.["path"];
    try {
      await this.#adopt(stored, file.name);
    } catch (error) {
      if (error instanceof RequestFailed && error.status === 0) throw error;
      // Somebody else took it out.
      if (error instanceof RequestFailed && error.status === 404) this.#deps.known.forget(stored.id);
      return { kind: "failed", reason: messageOf(error), isPassing: true };
    }
    return { kind: "moved", from: typeof from === "string" ? from : "", fileId: stored.id };
  }

  /** Takes a file out of the store; no matter where it is gone already. */
  async remove(id: string): Promise<void> {
    try {
      await this.#deps.client.send(Deleted, "DELETE", `/v1/files/${id}`);
    } catch (error) {
      if (!(error instanceof RequestFailed && error.status === 404)) throw error;
    }
    this.#deps.known.forget(id);
  }

  async #ingest(file: NamedFile): Promise<Outcome | null> {
    const sha256 = await sha256Of(file.path);
    const before = [...this.#deps.known.get(storedName(file))];
    const same = currentVersion(before, sha256);
    if (same?.status === "completed") {
      if (file.adopted) await this.#adopt(same, file.name);
      await this.#remove(before, same.id);
      return { kind: "unchanged", fileId: same.id };
    }
    const attached = same?.status === "in_progress" ? same : await this.#put(file);
    if (attached === null) return null;
    const ended = await this.#untilEnded(file, attached);
    if (ended === null) return null;
    const isDone = ended.status === "completed";
    // The old version is searchable until the new one is; where the new one failed, the old one stays.
    const useless = before.filter(({ status }) => status === "failed" || status === "cancelled");
    await this.#remove(isDone ? before : useless, ended.id);
    if (isDone) return { kind: "indexed", fileId: ended.id };
    return { kind: "failed", reason: ended.last_error?.message ?? ended.status, fileId: ended.id };
  }

  /** Uploads and attaches; null, and no upload left behind, if the signal came in between. */
  async #put(file: NamedFile): Promise<StoreFile | null> {
    const { client, storeId, attributes, onShare } = this.#deps;
    const uploaded = await uploadFile(
      client,
      {
        path: file.path,
        filename: file.name.path.split("/").at(-1) ?? file.name.path,
        onSent: (bytes) => onShare(file, (UPLOAD_SHARE * bytes) / Math.max(bytes, file.bytes, 1)),
      },
      this.#signal,
    );
    let isAttached = false;
    try {
      if (this.#signal.aborted) return null;
      const own = ownAttributes(file.name, uploaded.sha256);
      const body = { file_id: uploaded.id, attributes: { ...attributes, ...own } };
      const attached = await client.send(StoreFile, "POST", `/v1/vector_stores/${storeId}/files`, body);
      isAttached = true;
      this.#deps.known.replace(attached);
      return attached;
    } finally {
      // What made the attaching fail is what counts, not that the server may be gone for this too.
      if (!isAttached) await client.send(Deleted, "DELETE", `/v1/files/${uploaded.id}`).catch(() => {});
    }
  }

  async #untilEnded(file: NamedFile, attached: StoreFile): Promise<StoreFile | null> {
    const { client, storeId, onShare } = this.#deps;
    let current = attached;
    for (
      let pauseMs = POLL_MS.first;
      current.status === "in_progress";
      pauseMs = Math.min(POLL_MS.last, pauseMs * 1.5)
    ) {
      await Bun.sleep(pauseMs);
      if (this.#signal.aborted) return null;
      current = await client.send(StoreFile, "GET", `/v1/vector_stores/${storeId}/files/${current.id}`);
      onShare(file, shareOf(current));
    }
    this.#deps.known.replace(current);
    return current;
  }

  async #adopt(file: StoreFile, name: FileName): Promise<void> {
    const { client, storeId } = this.#deps;
    const sha256 = file.attributes?.["sha256"];
    const attributes = { ...file.attributes, ...ownAttributes(name, typeof sha256 === "string" ? sha256 : "") };
    const path = `/v1/vector_stores/${storeId}/files/${file.id}`;
    this.#deps.known.replace(await client.send(StoreFile, "POST", path, { attributes }));
  }

  async #remove(files: readonly StoreFile[], keptId: string): Promise<void> {
    for (const { id } of files) if (id !== keptId) await this.remove(id);
  }
}

/** What the file is to the store now: the name to look under. */
export function storedName({ name, adopted }: Named): FileName {
  return adopted ? { root: null, path: name.path } : name;
}

/** Of a file's versions in the store the one with these bytes, if it is worth something. */
export function currentVersion(versions: readonly StoreFile[], sha256: string): StoreFile | undefined {
  const same = versions.filter((file) => file.attributes?.["sha256"] === sha256);
  return same.find(({ status }) => status === "completed") ?? same.find(({ status }) => status === "in_progress");
}

export async function sha256Of(path: string): Promise<string> {
  const hasher = new Bun.CryptoHasher("sha256");
  for await (const piece of Bun.file(path).stream()) hasher.update(piece);
  return hasher.digest("hex");
}

function ownAttributes({ root, path }: FileName, sha256: string): Record<string, string> {
  return { path, ...(root !== null && { path_root: root }), sha256 };
}

function shareOf({ progress }: StoreFile): number {
  const [from, to] = STAGES[progress?.stage ?? ""] ?? [UPLOAD_SHARE, UPLOAD_SHARE];
  if (progress === undefined || progress.total <= 0) return from;
  return from + (to - from) * Math.min(1, progress.done / progress.total);
}
