import { expect, test } from "bun:test";
import { waitFor } from "../../../test/helpers/wait.ts";
import { type Api, ApiError, type ServerEvent } from "../api.ts";
import { followStore } from "./store-events.ts";

/** Streams that give these events and then end, or fail; the last one stays open until it is left. */
function streams(...of: (ServerEvent[] | Error)[]) {
  const opened: string[] = [];
  const api = {
    async *events(path: string, signal: AbortSignal): AsyncGenerator<ServerEvent> {
      const given = of[opened.length] ?? [];
      opened.push(path);
      if (given instanceof Error) throw given;
      yield* given;
      if (opened.length < of.length) return;
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
      yield { event: "progress", data: "too late" };
    },
  } as unknown as Api;
  return { api, opened };
}

test("news are told, a stream that ends or is refused is opened again, and what comes after the end is not told", async () => {
  const refused = new ApiError("busy", { status: 429, code: "x", requestId: "" });
  const { api, opened } = streams(
    [
      { event: "progress", data: 1 },
      { event: "hello", data: 2 },
    ],
    refused,
    [{ event: "progress", data: 3 }],
  );
  const told: unknown[] = [];
  const leave = followStore(api, "vs/1", {
    onNews: (news) => told.push(news),
    onAway: (why) => told.push(why === null ? "there" : why.message),
  });
  await waitFor("it is told again", () => (told as unknown[]).at(-1) === 3 || undefined);
  leave();
  expect(new Set(opened)).toEqual(new Set(["vector_stores/vs%2F1/events?follow=true"]));
  expect(told).toEqual(["there", 1, "there", "", "busy", "there", 3]);
});

test("a page that is left while the server is away is told nothing more", async () => {
  const { api, opened } = streams(new Error("away"), []);
  const told: unknown[] = [];
  const leave = followStore(api, "vs_1", { onNews: () => {}, onAway: (why) => told.push(why?.message) });
  await waitFor("it is away", () => told.length === 1 || undefined);
  leave();
  await Promise.resolve();
  expect([told, opened.length]).toEqual([["away"], 1]);
});
