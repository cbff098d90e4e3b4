/** What `ingest` and `sync` find of themselves in a store: files by the name that they were put in under. */
import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import { listAll } from "./client.ts";
import type { Client } from "./client.ts";
import type { FileName, KnownNames } from "./names.ts";

export const StoreFile = Type.Object({
  id: Type.String(),
  status: Type.String(),
  bytes: Type.Optional(Type.Integer()),
  last_error: Type.Union([Type.Object({ code: Type.String(), message: Type.String() }), Type.Null()]),
  attributes: Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.Null()]),
  progress: Type.Optional(Type.Object({ stage: Type.String(), done: Type.Number(), total: Type.Number() })),
});
export type StoreFile = Static<typeof StoreFile>;

interface Entry {
  name: FileName;
  files: StoreFile[];
}

/** The attributes that `ingest` keeps itself. */
export const OWN_ATTRIBUTES = ["path", "path_root", "sha256"] as const;

export class StoreFiles implements KnownNames {
  readonly #byName = new Map<string, Entry>();
  readonly #byId = new Map<string, Entry>();
  /** Roots are never forgotten: a folder that was emptied is named as before. */
  readonly #roots = new Set<string>();
  readonly #rootsByPath = new Map<string, Set<string>>();

  add(file: StoreFile): void {
    const { path, path_root: root } = file.attributes ?? {};
    if (typeof path !== "string") return;
    const name = { root: typeof root === "string" ? root : null, path };
    const entry = this.#byName.get(keyOf(name)) ?? { name, files: [] };
    entry.files.push(file);
    this.#byName.set(keyOf(name), entry);
    this.#byId.set(file.id, entry);
    if (name.root === null) return;
    this.#roots.add(name.root);
    this.#rootsByPath.set(path, (this.#rootsByPath.get(path) ?? new Set()).add(name.root));
  }

  /** Puts in what has become of a file, under the name that it has now. */
  replace(file: StoreFile): void {
    this.forget(file.id);
    this.add(file);
  }

  forget(id: string): void {
    const entry = this.#byId.get(id);
    if (entry === undefined) return;
    this.#byId.delete(id);
    entry.files = entry.files.filter((file) => file.id !== id);
    if (entry.files.length > 0) return;
    this.#byName.delete(keyOf(entry.name));
    if (entry.name.root !== null) this.#rootsByPath.get(entry.name.path)?.delete(entry.name.root);
    if (this.#rootsByPath.get(entry.name.path)?.size === 0) this.#rootsByPath.delete(entry.name.path);
  }

  has(name: FileName): boolean {
    return this.#byName.has(keyOf(name));
  }

  hasRoot(root: string): boolean {
    return this.#roots.has(root);
  }

  /** Whether another root holds the same path. */
  hasElsewhere({ root, path }: FileName): boolean {
    return [...(this.#rootsByPath.get(path) ?? [])].some((other) => other !== root);
  }

  /** More than one where an earlier run was interrupted between putting a new version in and taking the old one out. */
  get(name: FileName): readonly StoreFile[] {
    return this.#byName.get(keyOf(name))?.files ?? [];
  }

  all(): { name: FileName; files: readonly StoreFile[] }[] {
    return [...this.#byName.values()];
  }
}

export async function readStoreFiles(client: Client, storeId: string, signal: AbortSignal): Promise<StoreFiles> {
  const files = new StoreFiles();
  for await (const file of listAll(client, StoreFile, `/v1/vector_stores/${storeId}/files`, signal)) files.add(file);
  return files;
}

const keyOf = ({ root, path }: FileName) => `${root ?? ""}\n${path}`;
