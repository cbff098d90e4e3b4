/** A store that is written to at random, for tests of what searches it. */
import type { SeededRandom } from "../../../test/helpers/random.ts";
import { encodeTerms } from "../../index/analyzer.ts";
import type { GenerationRow } from "../../storage/generations.ts";
import type { Storage } from "../../storage/storage.ts";
import type { FileAttributes } from "../../storage/store-files.ts";
import { insertStoreFile } from "../../storage/testing/rows.ts";

export const TENANT = "ten_a";
export const STORE = "vs_1";
export const DIMENSIONS = 16;
/** The first are in most chunks, the last in few. */
export const WORDS = Array.from({ length: 60 }, (_, i) => `wort${String.fromCharCode(97 + (i % 26))}${i}`);
/** Values that are alike in one language and not in another. */
export const VALUES = [1, 2, 2.5, -3, "1", "b", "Ä", "\u{1F600}", "\uFF5A", true, false];

/** Writes what a server does to one store, at random: files come, go, grow, are indexed anew, change their attributes. */
export class StoreWriter {
  readonly #storage: Storage;
  readonly generation: GenerationRow;
  readonly random: SeededRandom;
  readonly files: { seq: number; revision: number; chunks: number }[] = [];
  /** Whether some chunks have attributes of their own. */
  hasOwn = true;
  #made = 0;

  constructor(storage: Storage, generation: GenerationRow, random: SeededRandom) {
    this.#storage = storage;
    this.generation = generation;
    this.random = random;
  }

  attributes(): FileAttributes {
    const { random } = this;
    return Object.fromEntries(
      ["a", "b", "n"].flatMap((key) => (random.below(3) === 0 ? [] : [[key, random.pick(VALUES)] as const])),
    );
  }

  async add(count = 1 + this.random.below(6)): Promise<void> {
    const fileId = `file-${++this.#made}`;
    const filename = this.random.pick(["e\u0301tude.txt", "b.md", "c.md"]);
    const row = { tenantId: TENANT, storeId: STORE, fileId, filename, attributes: this.attributes() };
    const { seq } = await insertStoreFile(this.#storage, row);
    await this.#fill(seq, 1, 0, count);
    await this.#storage.storeFiles.complete(TENANT, seq, 1, { chunks: count, vectors: count, usageBytes: count });
    this.files.push({ seq, revision: 1, chunks: count });
  }

  async change(): Promise<void> {
    const { storeFiles } = this.#storage;
    const at = this.random.below(this.files.length);
    const file = this.files[at];
    if (file === undefined) return await this.add();
    const what = this.random.below(4);
    if (what === 0) {
      await storeFiles.remove(TENANT, file.seq);
      this.files.splice(at, 1);
    } else if (what === 1) await storeFiles.setAttributes(TENANT, file.seq, this.attributes());
    else if (what === 2) {
      await storeFiles.reindex(TENANT, file.seq, { maxTokens: 800, overlapTokens: 400 });
      file.revision++;
      file.chunks = 1 + this.random.below(4);
      await this.#fill(file.seq, file.revision, 0, file.chunks);
      const totals = { chunks: file.chunks, vectors: file.chunks, usageBytes: 1 };
      await storeFiles.complete(TENANT, file.seq, file.revision, totals);
    } else {
      const more = 1 + this.random.below(3);
      await this.#fill(file.seq, file.revision, file.chunks, more);
      await storeFiles.addContent(TENANT, file.seq, more);
      await storeFiles.addTotals(TENANT, file.seq, { chunks: more, vectors: more, usageBytes: more });
      file.chunks += more;
    }
  }

  vector(): Float32Array {
    return Float32Array.from({ length: DIMENSIONS }, () => this.random.gauss());
  }

  text(words = 3 + this.random.below(30)): string {
    // Some words are in most chunks, some in one or two.
    const word = () => WORDS[Math.floor(WORDS.length * this.random.below(1000) ** 2 * 1e-6)];
    return Array.from({ length: words }, word).join(" ");
  }

  async #fill(seq: number, revision: number, from: number, count: number): Promise<void> {
    const { random, generation } = this;
    const owner = { storeFile: seq, chunkSet: generation.chunk_set, revision, tenantId: TENANT, storeId: STORE };
    const place = { tokens: 1, start: 0, end: 1, page: null, pageEnd: null, line: null, lineEnd: null, heading: [] };
    const chunks = Array.from({ length: count }, (_, i) => {
      const text = this.text();
      const attributes = this.hasOwn && random.below(8) === 0 ? this.attributes() : null;
      return { ...place, idx: from + i, text, terms: encodeTerms({ text, heading: [], title: "" }), attributes };
    });
    const ids = await this.#storage.chunks.add(owner, chunks);
    const isWindowed = generation.window_tokens !== null;
    // A chunk has a stretch of its file's windows: what it shares, the one before it has too.
    let windows = 0;
    const vectors = ids.map((chunkId, i) => {
      const own = isWindowed ? 1 + random.below(2) : 1;
      const shared = isWindowed && i > 0 ? random.below(Math.min(3, windows) + 1) : 0;
      windows = own + shared;
      const flat = Array.from({ length: own }, () => [...this.vector()]).flat();
      return { chunkId, data: Float32Array.from(flat), shared };
    });
    await this.#storage.chunks.addVectors(TENANT, generation.id, vectors);
  }
}
