import { expect, test } from "bun:test";
import { type Turn, Turns } from "./turns.ts";

const NEVER = new AbortController().signal;
const LONG = 3_600_000;

function turnsOf(places: number, spareAfterMs = LONG, onFree?: () => void) {
  return new Turns({ places, spareAfterMs, onFree });
}

/** Takes places, and says who got one when. */
function watched(turns: Turns) {
  const given: string[] = [];
  const held: Turn[] = [];
  const take = async (owner: string) => {
    const turn = await turns.take(owner, NEVER);
    given.push(owner);
    held.push(turn);
  };
  return { given, take, next: () => held.shift()?.[Symbol.dispose]() };
}

const soon = () => new Promise((resolve) => setImmediate(resolve));

test("a place is had while there is one, and given back once", () => {
  const turns = turnsOf(1);
  const turn = turns.tryTake("a");
  expect(turn).not.toBeNull();
  expect(turns.tryTake("a")).toBeNull();
  turn?.[Symbol.dispose]();
  turn?.[Symbol.dispose]();
  expect(turns.stats()).toEqual({ held: 0, waiting: 0 });
  expect(turns.tryTake("a")).not.toBeNull();
  expect(turns.tryTake("b")).toBeNull();
});

test("whoever holds fewest is next, in order of arrival among equals", async () => {
  const turns = turnsOf(2);
  const { given, take, next } = watched(turns);
  for (const owner of ["a", "a", "a", "a", "b", "c", "b"]) void take(owner);
  await soon();
  for (let i = 0; i < 7; i++) {
    next();
    await soon();
  }
  expect(given).toEqual(["a", "a", "b", "a", "c", "a", "b"]);
});

test("the spare place is for another owner once one has held all places for a while", async () => {
  const turns = turnsOf(2, 30);
  for (const _ of [1, 2]) expect(turns.tryTake("a")).not.toBeNull();
  expect(turns.tryTake("b")).toBeNull();
  const spare = await turns.take("b", NEVER);
  expect(turns.stats()).toEqual({ held: 3, waiting: 0 });
  expect([turns.tryTake("b"), turns.tryTake("c"), turns.tryTake("a")]).toEqual([null, null, null]);
  spare[Symbol.dispose]();
  expect(turns.tryTake("a")).toBeNull();
  expect(turns.tryTake("c")).not.toBeNull();
});

test("the spare place is nobody's while places are held by several", () => {
  const turns = turnsOf(2, 0);
  turns.tryTake("a");
  turns.tryTake("b");
  expect(turns.tryTake("c")).toBeNull();
});

test("one that asks is told when a place may be had, the spare one included", async () => {
  const free = Promise.withResolvers<void>();
  const turns = turnsOf(1, 10, free.resolve);
  turns.tryTake("a");
  expect(turns.tryTake("b")).toBeNull();
  await free.promise;
  expect(turns.tryTake("b")).not.toBeNull();
});

test("one that stops waiting has no place and takes none from others", async () => {
  const turns = turnsOf(1);
  const turn = turns.tryTake("a");
  const stop = new AbortController();
  const waiting = turns.take("b", stop.signal).catch(() => "stopped");
  stop.abort();
  expect(await waiting).toBe("stopped");
  const next = turns.take("c", NEVER);
  turn?.[Symbol.dispose]();
  await next;
  expect(turns.stats()).toEqual({ held: 1, waiting: 0 });
});
