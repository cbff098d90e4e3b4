import type { Failpoint } from "../platform/failpoint.ts";
import type { MigrationChanges, MigrationRow } from "../storage/migration-table.ts";
import type { Tx } from "../storage/sql.ts";
import { type Storage, type Tables, tablesOf } from "../storage/storage.ts";
import type { CatchUpProgress } from "./file-catch-up.ts";

/** Counts what a migration has done in its row, in the transactions that do it. */
export class MigrationProgress implements CatchUpProgress {
  readonly #deps: { storage: Storage; failpoint: Failpoint };
  readonly #row: MigrationRow;
  #files: number;
  #chunks: number;
  #tokens: number;

  /** `row`: as it is in the database now. */
  constructor(deps: { storage: Storage; failpoint: Failpoint }, row: MigrationRow) {
    this.#deps = deps;
    this.#row = row;
    this.#files = row.files_done;
    this.#chunks = row.chunks_done;
    this.#tokens = row.tokens;
  }

  chunked(): void {
    this.#deps.failpoint("migrate:file-chunked");
  }

  async file(tables: Tables, tx: Tx): Promise<void> {
    await this.#set(tables, { files_done: ++this.#files });
    tx.onCommit(() => this.#deps.failpoint("migrate:file-done"));
  }

  async chunks(count: number, tables: Tables, tx: Tx): Promise<void> {
    await this.#set(tables, { chunks_done: (this.#chunks += count) });
    tx.onCommit(() => this.#deps.failpoint("migrate:vectors-added"));
  }

  async tokens(count: number, tx: Tx | null): Promise<void> {
    const add = (tables: Tables) => this.#set(tables, { tokens: (this.#tokens += count) });
    await (tx === null ? this.#deps.storage.transaction(add, "work") : add(tablesOf(tx)));
  }

  async #set({ migrations }: Tables, changes: MigrationChanges): Promise<void> {
    await migrations.update(this.#row.tenant_id, this.#row.id, changes);
  }
}
