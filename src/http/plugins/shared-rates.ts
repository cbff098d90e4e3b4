import { AppError } from "../../errors.ts";
import type { Lot, RatesTable } from "../../storage/rates.ts";
import type { Caller } from "../caller.ts";
import type { OnLimit } from "./limits.ts";

/**
 * Requests a minute where several servers answer a tenant's: permits are taken from the database in lots, so that a server
 * asks it once in so many requests, and a limit is passed by less than a lot of each server. Who has no limit costs
 * nothing. Refused requests ask no more often than permits come.
 */
export type Permits = Pick<RatesTable, "take">;

/** Of a minute's requests; one server keeps so many that it may not use. */
const LOTS_A_MINUTE = 20;
/** Owners beyond this number are looked through for those that say nothing. */
const SWEEP_FROM = 10_000;

/** What this server has of one owner's permits. */
interface Stock {
  left: number;
  /** Asking, where somebody does: all who come meanwhile wait for the same answer. */
  asking: Promise<Lot> | null;
  /** Until then there are none. */
  noneUntilMs: number;
}

export class SharedRateLimit {
  readonly #permits: Permits;
  readonly #nowMs: () => number;
  readonly #onLimit: OnLimit;
  readonly #stocks = new Map<string, Stock>();

  constructor(permits: Permits, nowMs: () => number, onLimit: OnLimit) {
    this.#permits = permits;
    this.#nowMs = nowMs;
    this.#onLimit = onLimit;
  }

  /**
   * A refused request takes nothing, neither from its key nor from its tenant.
   * @throws AppError `rate_limit_exceeded` with the time after which one more is allowed
   */
  async take({ keyId, tenantId, requestsPerMinute }: Pick<Caller, "keyId" | "tenantId" | "requestsPerMinute">) {
    const limits = [
      { limit: "key" as const, owner: keyId, perMinute: requestsPerMinute?.key ?? null },
      { limit: "tenant" as const, owner: tenantId, perMinute: requestsPerMinute?.tenant ?? null },
    ].flatMap(({ perMinute, ...rest }) => (perMinute === null ? [] : [{ ...rest, perMinute }]));
    for (;;) {
      const lacking = limits.find(({ owner }) => this.#stockOf(owner).left < 1);
      if (lacking === undefined) break;
      const retryMs = await this.#fill(tenantId, lacking);
      if (retryMs === null) continue;
      this.#onLimit(lacking.limit);
      const whose = lacking.limit === "key" ? "key" : "organisation";
      const text = `Rate limit reached: this ${whose} may make ${lacking.perMinute} requests a minute.`;
      throw new AppError("rate_limit_exceeded", text, { retryAfterSeconds: retryMs / 1000 });
    }
    // Nothing was awaited since they were looked at.
    for (const { owner } of limits) this.#stockOf(owner).left -= 1;
  }

  /** Null where there are some now, else ms until there are. */
  async #fill(tenantId: string, { owner, perMinute }: { owner: string; perMinute: number }): Promise<number | null> {
    const stock = this.#stockOf(owner);
    const waitMs = stock.noneUntilMs - this.#nowMs();
    if (waitMs > 0) return waitMs;
    stock.asking ??= this.#ask(tenantId, owner, perMinute, stock).finally(() => (stock.asking = null));
    const { granted, retryMs } = await stock.asking;
    return granted > 0 ? null : retryMs;
  }

  async #ask(tenantId: string, owner: string, perMinute: number, stock: Stock): Promise<Lot> {
    const wanted = Math.max(1, Math.floor(perMinute / LOTS_A_MINUTE));
    const lot = await this.#permits.take(tenantId, owner, { perMinute, wanted });
    stock.left += lot.granted;
    if (lot.granted === 0) stock.noneUntilMs = this.#nowMs() + lot.retryMs;
    return lot;
  }

  #stockOf(owner: string): Stock {
    let stock = this.#stocks.get(owner);
    if (stock === undefined) {
      if (this.#stocks.size >= SWEEP_FROM) this.#sweep();
      this.#stocks.set(owner, (stock = { left: 0, asking: null, noneUntilMs: 0 }));
    }
    return stock;
  }

  #sweep(): void {
    const now = this.#nowMs();
    for (const [owner, { left, asking, noneUntilMs }] of this.#stocks)
      if (left === 0 && asking === null && noneUntilMs <= now) this.#stocks.delete(owner);
    // Permits that lie about are of keys that are not used.
    if (this.#stocks.size >= SWEEP_FROM) this.#stocks.clear();
  }
}
