import { expect, test } from "bun:test";
import { BatchSize } from "./batch-size.ts";

test("without a target a batch holds the most", () => {
  const size = new BatchSize({ least: 2048, most: 16_000, targetMs: null });
  size.took(16_000, 60_000);
  expect(size.chars).toBe(16_000);
});

test("a batch holds what a lane answers within the target, between bounds", () => {
  const size = new BatchSize({ least: 2048, most: 16_000, targetMs: 500 });
  expect(size.chars).toBe(4096);
  size.took(4096, 512);
  expect(size.chars).toBe(4000);
  for (let i = 0; i < 50; i++) size.took(4000, 250);
  expect(size.chars).toBeGreaterThan(7900);
  for (let i = 0; i < 50; i++) size.took(4000, 1);
  expect(size.chars).toBe(16_000);
  for (let i = 0; i < 50; i++) size.took(4000, 60_000);
  expect(size.chars).toBe(2048);
});

test("one slow batch does not decide", () => {
  const size = new BatchSize({ least: 2048, most: 16_000, targetMs: 500 });
  for (let i = 0; i < 5; i++) size.took(4000, 250);
  size.took(4000, 100_000);
  expect(size.chars).toBeGreaterThan(5000);
});

test("small batches say nothing", () => {
  const size = new BatchSize({ least: 2048, most: 16_000, targetMs: 500 });
  size.took(20, 100);
  expect(size.chars).toBe(4096);
  const narrow = new BatchSize({ least: 2048, most: 100, targetMs: 500 });
  narrow.took(60, 100);
  expect(narrow.chars).toBe(100);
});
