import { expect, test } from "bun:test";
import { AppError } from "../../errors.ts";
import type { Lot } from "../../storage/rates.ts";
import { SharedRateLimit } from "./shared-rates.ts";

/** What several servers share: a bucket for each owner, and how often it was asked. */
function shared() {
  const time = { ms: 0 };
  const taken = new Map<string, number>();
  let asked = 0;
  const take = async (_tenant: string, owner: string, { perMinute, wanted }: { perMinute: number; wanted: number }) => {
    asked += 1;
    await Promise.resolve();
    const before = taken.get(owner) ?? 0;
    const granted = Math.max(0, Math.min(wanted, perMinute - before));
    taken.set(owner, before + granted);
    return { granted, retryMs: granted === 0 ? 60_000 : 0 } satisfies Lot;
  };
  const hit: string[] = [];
  const server = () => {
    const limit = new SharedRateLimit(
      { take },
      () => time.ms,
      (which) => hit.push(which),
    );
    return async (key: number | null, tenant: number | null, keyId = "key_1", tenantId = "ten_1") => {
      try {
        await limit.take({ keyId, tenantId, requestsPerMinute: { key, tenant } });
        return null;
      } catch (error) {
        if (!(error instanceof AppError) || error.code !== "rate_limit_exceeded") throw error;
        return error.retryAfterSeconds;
      }
    };
  };
  const passed = async (requests: Promise<number | null | undefined>[]) =>
    (await Promise.all(requests)).filter((refused) => refused === null).length;
  return { time, hit, server, passed, asked: () => asked };
}

test("as many as the limit pass over all servers, however they come, for a twentieth as many questions", async () => {
  const { server, passed, asked } = shared();
  const servers = [server(), server(), server()];
  const requests = Array.from({ length: 600 }, (_, i) => servers[i % 3]?.(200, null) ?? Promise.resolve(1));
  expect(await passed(requests)).toBe(200);
  // 20 lots, and each server is refused once.
  expect(asked()).toBe(23);
});

test("a refused request takes nothing of the other limit, and says when to come again", async () => {
  const { hit, server, passed, time, asked } = shared();
  const take = server();
  expect(await passed(Array.from({ length: 10 }, () => take(5, 8, "key_1")))).toBe(5);
  expect(await passed(Array.from({ length: 10 }, () => take(5, 8, "key_2")))).toBe(3);
  expect(new Set(hit)).toEqual(new Set(["key", "tenant"]));
  const before = asked();
  time.ms = 20_000;
  expect(await take(5, 8, "key_1")).toBe(40);
  expect(asked()).toBe(before);
  expect(await passed(Array.from({ length: 10 }, () => take(5, null, "key_3", "ten_2")))).toBe(5);
});

test("without a limit are any number, and cost nothing", async () => {
  const { server, passed, asked } = shared();
  const take = server();
  expect(await passed(Array.from({ length: 1000 }, () => take(null, null)))).toBe(1000);
  expect(asked()).toBe(0);
});
