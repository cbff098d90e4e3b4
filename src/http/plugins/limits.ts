import { AppError } from "../../errors.ts";
import type { Caller } from "../caller.ts";

/** Counts requests in flight, as a whole and by key, and refuses one too many instead of queueing it. */
export interface InFlight {
  /**
   * Takes a place; the returned function gives it back and may be called more than once.
   * @throws AppError `rate_limit_exceeded` where the key has all its places taken.
   */
  enter(keyId: string): () => void;
  total(): number;
}

/** Which limit refused a request, for the metrics. */
export type OnLimit = (limit: "in_flight" | "streams" | "key" | "tenant" | "address") => void;

export function inFlightLimit(maxPerKey: () => number | null, onLimit: OnLimit): InFlight {
  const byKey = new Map<string, number>();
  let total = 0;
  return {
    enter(keyId) {
      const taken = byKey.get(keyId) ?? 0;
      const most = maxPerKey();
      if (most !== null && taken >= most) {
        onLimit("in_flight");
        throw new AppError("rate_limit_exceeded", `Too many requests at once: this key may have ${most} in flight.`, {
          retryAfterSeconds: 1,
        });
      }
      byKey.set(keyId, taken + 1);
      total += 1;
      let left = false;
      return () => {
        if (left) return;
        left = true;
        total -= 1;
        const now = (byKey.get(keyId) ?? 1) - 1;
        if (now === 0) byKey.delete(keyId);
        else byKey.set(keyId, now);
      };
    },
    total: () => total,
  };
}

/** Bounds the event streams that are open at the same time, by key and by tenant. */
export interface StreamLimit {
  /**
   * Takes a place; the returned function gives it back and may be called more than once.
   * @throws AppError `rate_limit_exceeded` where the key, or its tenant, has all its places taken.
   */
  enter(caller: Pick<Caller, "keyId" | "tenantId">): () => void;
}

/** Null: any number. Read at every stream. */
export interface StreamBounds {
  readonly perKey: number | null;
  readonly perTenant: number | null;
}

/** Streams last: asking again at once would only be refused again. */
const STREAM_RETRY_SECONDS = 5;

export function streamLimit(bounds: StreamBounds, onLimit: OnLimit): StreamLimit {
  const open = new Map<string, number>();
  const change = (owner: string, by: number) => {
    const now = (open.get(owner) ?? 0) + by;
    if (now <= 0) open.delete(owner);
    else open.set(owner, now);
  };
  return {
    enter({ keyId, tenantId }) {
      const owners = [
        ["this key", `key ${keyId}`, bounds.perKey],
        ["this organisation", `tenant ${tenantId}`, bounds.perTenant],
      ] as const;
      for (const [whose, owner, most] of owners) {
        if (most === null || (open.get(owner) ?? 0) < most) continue;
        onLimit("streams");
        throw new AppError("rate_limit_exceeded", `Too many event streams at once: ${whose} may have ${most} open.`, {
          retryAfterSeconds: STREAM_RETRY_SECONDS,
        });
      }
      for (const [, owner] of owners) change(owner, 1);
      let left = false;
      return () => {
        if (left) return;
        left = true;
        for (const [, owner] of owners) change(owner, -1);
      };
    },
  };
}

/** Requests a minute, by key and by tenant. */
export interface RateLimit {
  /** @throws AppError `rate_limit_exceeded` with the time after which one more is allowed. */
  take(caller: Pick<Caller, "keyId" | "tenantId" | "requestsPerMinute">): void;
}

interface Bucket {
  tokens: number;
  /** When `tokens` was right, in milliseconds. */
  at: number;
  perMinute: number;
}

/** Buckets beyond this number are looked through for full ones, which say nothing. */
const SWEEP_FROM = 10_000;

/**
 * Token buckets: a minute's worth may come at once, then as many as flow in. In memory: a restart begins with full
 * buckets. A refused request takes nothing, neither from its key nor from its tenant.
 */
export function rateLimit(nowMs: () => number, onLimit: OnLimit): RateLimit {
  const buckets = new Map<string, Bucket>();

  function bucketOf(owner: string, perMinute: number): Bucket {
    const now = nowMs();
    const bucket = buckets.get(owner);
    if (bucket === undefined) {
      if (buckets.size >= SWEEP_FROM) sweep(now);
      const made = { tokens: perMinute, at: now, perMinute };
      buckets.set(owner, made);
      return made;
    }
    const flown = ((now - bucket.at) / 60_000) * perMinute;
    // Another limit than before keeps the share that is left.
    if (bucket.perMinute !== perMinute) bucket.tokens *= perMinute / bucket.perMinute;
    bucket.tokens = Math.min(perMinute, bucket.tokens + flown);
    bucket.at = now;
    bucket.perMinute = perMinute;
    return bucket;
  }

  function sweep(now: number): void {
    for (const [owner, { tokens, at, perMinute }] of buckets)
      if (tokens + ((now - at) / 60_000) * perMinute >= perMinute) buckets.delete(owner);
  }

  return {
    take({ keyId, tenantId, requestsPerMinute }) {
      const limits = [
        ["key", keyId, requestsPerMinute?.key ?? null],
        ["tenant", tenantId, requestsPerMinute?.tenant ?? null],
      ] as const;
      const taken: Bucket[] = [];
      for (const [limit, owner, perMinute] of limits) {
        if (perMinute === null) continue;
        const bucket = bucketOf(owner, perMinute);
        if (bucket.tokens < 1) {
          onLimit(limit);
          const whose = limit === "key" ? "key" : "organisation";
          const seconds = ((1 - bucket.tokens) * 60) / perMinute;
          throw new AppError(
            "rate_limit_exceeded",
            `Rate limit reached: this ${whose} may make ${perMinute} requests a minute.`,
            { retryAfterSeconds: seconds },
          );
        }
        taken.push(bucket);
      }
      for (const bucket of taken) bucket.tokens -= 1;
    },
  };
}

/** Requests that came without a key that is known, by the address that they came from. */
export interface StrangerLimit {
  /** @throws AppError `rate_limit_exceeded` where there were too many. */
  take(address: string): void;
}

/** So many that no client with a wrong key, nor several behind one proxy, meets it. */
const STRANGERS_PER_MINUTE = 600;
/** Addresses remembered at once; beyond it all are forgotten, for looking through them would cost each of them. */
const MAX_ADDRESSES = 10_000;

export function strangerLimit(nowMs: () => number, onLimit: OnLimit): StrangerLimit {
  const byAddress = new Map<string, { left: number; at: number }>();
  return {
    take(address) {
      if (address === "") return;
      const network = networkOf(address);
      const now = nowMs();
      let bucket = byAddress.get(network);
      if (bucket === undefined) {
        if (byAddress.size >= MAX_ADDRESSES) byAddress.clear();
        byAddress.set(network, (bucket = { left: STRANGERS_PER_MINUTE, at: now }));
      }
      const flown = ((now - bucket.at) / 60_000) * STRANGERS_PER_MINUTE;
      bucket.left = Math.min(STRANGERS_PER_MINUTE, bucket.left + flown);
      bucket.at = now;
      if (bucket.left < 1) {
        onLimit("address");
        const text = `Too many requests without a valid API key: ${STRANGERS_PER_MINUTE} a minute are answered for one address.`;
        throw new AppError("rate_limit_exceeded", text, { retryAfterSeconds: 1 });
      }
      bucket.left -= 1;
    },
  };
}

/** Of IPv6 the network: whoever has one address there has all of them. */
function networkOf(address: string): string {
  if (!address.includes(":") || address.includes(".")) return address;
  const groups = (address.split("::", 1)[0] ?? "").split(":");
  return [0, 1, 2, 3].map((i) => groups[i] || "0").join(":");
}
