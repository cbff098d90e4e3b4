import { expect, test } from "bun:test";
import type { ChatModel } from "./chat-models.ts";
import { Places } from "./places.ts";

const model = { id: "m", parallel: 1 } as ChatModel;
const wait = (waitMs = 60_000) => ({ signal: new AbortController().signal, waitMs });

test("calls wait for a place, and tenants take turns", async () => {
  const places = new Places();
  const order: string[] = [];
  const first = await places.enter(model, "a", wait());
  const others = ["a", "a", "b"].map(async (tenant) => {
    const leave = await places.enter(model, tenant, wait());
    order.push(tenant);
    leave();
    leave();
  });
  expect(places.waiting).toBe(3);
  first();
  await Promise.all(others);
  expect(order.slice(0, 2).sort()).toEqual(["a", "b"]);
  expect(places.waiting).toBe(0);
});

test("who waits too long, or among too many, is told to come back; who leaves gives its turn up", async () => {
  const places = new Places();
  const leave = await places.enter(model, "a", wait());
  expect(places.enter(model, "b", wait(1))).rejects.toMatchObject({ code: "overloaded" });
  const gone = new AbortController();
  const waiting = places.enter(model, "b", { signal: gone.signal, waitMs: 60_000 });
  gone.abort(new Error("left"));
  expect(waiting).rejects.toThrow("left");
  const many = Array.from({ length: 101 }, () => places.enter(model, "c", wait(30)).catch((error: unknown) => error));
  const codes = (await Promise.all(many)).map((error) => (error as { code: string }).code);
  expect(codes.every((code) => code === "overloaded")).toBe(true);
  leave();
  (await places.enter(model, "b", wait()))();
});
