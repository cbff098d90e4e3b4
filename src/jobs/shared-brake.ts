import type { JobRow } from "../storage/jobs.ts";
import type { MigrationsTable } from "../storage/migration-table.ts";
import { type Brake, OPEN_ROUNDS, SHARE } from "./ingest-brake.ts";
import type { JobHandler } from "./runner.ts";

/**
 * The same brake where several servers bring files into a store that one of them migrates: what may still enter is a number
 * in the migration's row, which the statement that claims a file looks at (storage/shared-leases.ts). It is written under
 * the lease of the migration's job; one that was lost holds nothing back any more, and the next run begins anew.
 */
export type CreditRows = Pick<MigrationsTable, "setCredit" | "addCredit" | "capCredit" | "hasCredit">;

/** Nothing may enter, whatever is added. */
const NOTHING = -(2 ** 50);

export class SharedBrake {
  readonly #rows: CreditRows;
  readonly #onFailure: (error: unknown) => void;

  constructor(rows: CreditRows, onFailure: (error: unknown) => void) {
    this.#rows = rows;
    this.#onFailure = onFailure;
  }

  apply(storeId: string, credit: number, tenantId: string): Brake {
    const rows = this.#rows;
    let addedInRound = 0;
    let rounds = 0;
    /** Of halves of chunks what is not in the row yet. */
    let rest = 0;
    // One after the other; a number that was not written is mended by the end of the round.
    let written = rows.setCredit(tenantId, storeId, credit).catch(this.#onFailure);
    const then = (change: () => Promise<void>) => (written = written.then(change).catch(this.#onFailure));
    return {
      added: (chunks) => {
        addedInRound += chunks;
        rest += chunks * SHARE;
        const whole = Math.floor(rest);
        rest -= whole;
        if (whole > 0) void then(() => rows.addCredit(tenantId, storeId, whole));
      },
      roundEnded: () => {
        rounds += 1;
        const most = Math.floor(addedInRound * SHARE);
        addedInRound = 0;
        void then(() =>
          rounds < OPEN_ROUNDS ? rows.capCredit(tenantId, storeId, most) : rows.setCredit(tenantId, storeId, NOTHING),
        );
      },
      [Symbol.dispose]: () => void then(() => rows.setCredit(tenantId, storeId, null)),
      settled: async () => await written,
    };
  }

  /** The same handler, each of whose jobs brings a file of `chunksOf` chunks into its store. */
  watch(handler: JobHandler, chunksOf: (job: JobRow) => Promise<number>): JobHandler {
    return {
      ...handler,
      run: async (job, signal, lease) => {
        const outcome = await handler.run(job, signal, lease);
        const { tenant_id: tenantId, store_id: storeId } = job;
        if (storeId !== null && (await this.#rows.hasCredit(tenantId, storeId)))
          await this.#rows.addCredit(tenantId, storeId, -(await chunksOf(job)));
        return outcome;
      },
    };
  }

  /** None is known here: the claim looks at the rows. */
  held(): string[] {
    return [];
  }
}
