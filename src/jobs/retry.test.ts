import { expect, test } from "bun:test";
import { retry, retryAfter, retryMs } from "./retry.ts";

test("waits grow with the attempts and stay at the longest", () => {
  expect([1, 2, 3, 4, 5, 6, 40].map((attempt) => retryMs("ingest_model", attempt))).toEqual([
    500, 2_000, 10_000, 60_000, 300_000, 300_000, 300_000,
  ]);
  expect([1, 2, 8, 9, 100].map((attempt) => retryMs("unexpected", attempt))).toEqual([
    4_000, 8_000, 512_000, 512_000, 512_000,
  ]);
  expect([1, 15, 30, 31].map((attempt) => retryMs("deletion_remains", attempt))).toEqual([
    2_000, 30_000, 60_000, 60_000,
  ]);
});

test("what was never claimed counts as a first attempt", () => {
  expect(retryMs("migration_model", 0)).toBe(2_000);
});

test("whoever is away and says for how long is believed", () => {
  expect(retryAfter(7, "migration_model", 3)).toEqual({ type: "retry", inMs: 7 });
  expect(retryAfter(undefined, "migration_model", 3)).toEqual({ type: "retry", inMs: 15_000 });
  expect(retry("more")).toEqual({ type: "retry", inMs: 0 });
});
