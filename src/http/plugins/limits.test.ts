import { describe, expect, test } from "bun:test";
import { AppError } from "../../errors.ts";
import { inFlightLimit, rateLimit, strangerLimit } from "./limits.ts";

/** A rate limit whose time the test moves, in seconds. */
function limited() {
  const time = { seconds: 0 };
  const hit: string[] = [];
  const limit = rateLimit(
    () => time.seconds * 1000,
    (which) => hit.push(which),
  );
  const take = (key: number | null, tenant: number | null, keyId = "key_1", tenantId = "ten_1"): number | null => {
    try {
      limit.take({ keyId, tenantId, requestsPerMinute: { key, tenant } });
      return null;
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== "rate_limit_exceeded") throw error;
      return error.retryAfterSeconds;
    }
  };
  const allowed = (count: number, ...args: Parameters<typeof take>) =>
    Array.from({ length: count }, () => take(...args)).filter((refused) => refused === null).length;
  return { time, hit, take, allowed };
}

describe("requests a minute", () => {
  test("may come all at once, then as they flow in", () => {
    const { time, take, allowed } = limited();
    expect(allowed(100, 60, null)).toBe(60);
    expect(take(60, null)).toBeCloseTo(1);
    time.seconds = 10;
    expect(allowed(100, 60, null)).toBe(10);
    time.seconds = 1000;
    expect(allowed(100, 60, null)).toBe(60);
  });

  test("say how long to wait, to the request that is allowed then", () => {
    const { time, take, allowed } = limited();
    allowed(6, 6, null);
    const wait = take(6, null) ?? 0;
    expect(wait).toBeCloseTo(10);
    time.seconds = wait - 0.01;
    expect(take(6, null)).not.toBeNull();
    time.seconds = wait;
    expect(take(6, null)).toBeNull();
  });

  test("count for the key and for its tenant; a refused one counts for neither", () => {
    const { hit, allowed } = limited();
    expect(allowed(10, 5, 8, "key_1")).toBe(5);
    expect(allowed(10, 5, 8, "key_2")).toBe(3);
    expect(allowed(10, 5, 8, "key_3", "ten_2")).toBe(5);
    expect(new Set(hit)).toEqual(new Set(["key", "tenant"]));
  });

  test("without a limit are any number", () => {
    const { allowed } = limited();
    expect(allowed(10_000, null, null)).toBe(10_000);
  });

  test("under another limit keep the share that is left", () => {
    const { allowed } = limited();
    expect(allowed(50, 100, null)).toBe(50);
    expect(allowed(50, 10, null)).toBe(5);
  });

  test("of many keys do not fill the memory: full buckets are forgotten", () => {
    const { time, allowed } = limited();
    for (let i = 0; i < 20_000; i++) {
      time.seconds += 1;
      expect(allowed(1, 60, null, `key_${i}`)).toBe(1);
    }
  });
});

test("requests in flight are limited by key, read at every request", () => {
  let most: number | null = 2;
  const hit: string[] = [];
  const limit = inFlightLimit(
    () => most,
    (which) => hit.push(which),
  );
  const leave = limit.enter("a");
  limit.enter("a");
  expect(() => limit.enter("a")).toThrow("2 in flight");
  limit.enter("b");
  leave();
  leave();
  limit.enter("a");
  expect(() => limit.enter("a")).toThrow();
  most = null;
  limit.enter("a");
  expect(hit).toEqual(["in_flight", "in_flight"]);
  expect(limit.total()).toBe(4);
});

describe("requests without a valid key", () => {
  test("are limited by the address that they come from", () => {
    let now = 0;
    const limited: string[] = [];
    const strangers = strangerLimit(
      () => now,
      (limit) => limited.push(limit),
    );
    const refused = (address: string) => {
      try {
        strangers.take(address);
        return null;
      } catch (error) {
        return (error as AppError).code;
      }
    };
    for (let i = 0; i < 600; i++) expect(refused("192.0.2.1")).toBeNull();
    expect(refused("192.0.2.1")).toBe("rate_limit_exceeded");
    expect(refused("192.0.2.2")).toBeNull();
    now += 1000;
    expect(refused("192.0.2.1")).toBeNull();
    expect(limited).toEqual(["address"]);
  });

  test("of one IPv6 network count together", () => {
    const strangers = strangerLimit(
      () => 0,
      () => {},
    );
    for (let i = 0; i < 600; i++) strangers.take(`2001:db8:1:2:${i.toString(16)}::1`);
    expect(() => strangers.take("2001:db8:1:2:ffff::1")).toThrow();
    expect(() => strangers.take("2001:db8:1:3:ffff::1")).not.toThrow();
  });
});
