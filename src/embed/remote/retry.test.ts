import { describe, expect, test } from "bun:test";
import { backoffMs, durationMs, headerWaitMs, pause, usedUpWaitMs } from "./retry.ts";

const NOW = Date.parse("2026-01-01T00:00:00Z");

describe("what headers ask to wait", () => {
  const cases: [headers: Record<string, string>, wait: number | null][] = [
    [{}, null],
    [{ "retry-after": "2" }, 2000],
    [{ "retry-after": "0.5" }, 500],
    [{ "retry-after": "0" }, 0],
    [{ "retry-after": "Thu, 01 Jan 2026 00:00:30 GMT" }, 30_000],
    [{ "retry-after": "Wed, 31 Dec 2025 00:00:00 GMT" }, 0],
    [{ "retry-after": "soon" }, null],
    [{ "retry-after-ms": "120", "retry-after": "9" }, 120],
    [{ "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "6m0s" }, 360_000],
    [{ "x-ratelimit-remaining-requests": "5", "x-ratelimit-reset-requests": "6m0s" }, null],
    [{ "x-ratelimit-remaining": "0", "x-ratelimit-reset": "3" }, 3000],
    [
      {
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "1s",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "12ms",
      },
      1000,
    ],
  ];
  for (const [headers, wait] of cases) {
    test(JSON.stringify(headers), () => expect(headerWaitMs(new Headers(headers), NOW)).toBe(wait));
  }

  test("an allowance that is left is not waited for", () => {
    expect(
      usedUpWaitMs(new Headers({ "x-ratelimit-remaining-tokens": "100", "x-ratelimit-reset-tokens": "1s" })),
    ).toBeNull();
  });
});

test("durations are read as the providers write them", () => {
  const cases: [string, number | null][] = [
    ["12ms", 12],
    ["1.5s", 1500],
    ["1h2m3s", 3_723_000],
    ["7", 7000],
    ["", null],
    ["-1s", null],
    ["tomorrow", null],
  ];
  for (const [text, ms] of cases) expect([text, durationMs(text)]).toEqual([text, ms]);
});

test("pauses double up to their cap, and half of each is random", () => {
  expect([1, 2, 3, 4, 5].map((attempt) => backoffMs(attempt, 100, 1000, () => 0))).toEqual([50, 100, 200, 400, 500]);
  expect([1, 2, 3, 4, 5].map((attempt) => backoffMs(attempt, 100, 1000, () => 1))).toEqual([100, 200, 400, 800, 1000]);
});

test("a pause ends when it is aborted", async () => {
  const controller = new AbortController();
  const waiting = pause(60_000, controller.signal);
  controller.abort();
  await waiting;
  await pause(60_000, controller.signal);
  await pause(0, new AbortController().signal);
});
