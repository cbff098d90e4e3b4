import { describe, expect, test } from "bun:test";
import { FairQueue, type Slice } from "./fair-queue.ts";

const WIDE = { quantum: 10, most: 1e9, mostOfOne: 1e9 };

/** Slices of a tenant, named by it and numbered. */
const slices = (name: string, ...costs: number[]): Slice<string>[] =>
  costs.map((cost, i) => ({ item: `${name}${i}`, cost }));
const same = (name: string, count: number, cost: number) => slices(name, ...new Array<number>(count).fill(cost));

function takeAll(queue: FairQueue<string>): string[] {
  const taken: string[] = [];
  for (let item = queue.take(); item !== undefined; item = queue.take()) taken.push(item);
  return taken;
}

describe("turns", () => {
  test("are shared by cost, whatever the size of the slices", () => {
    const queue = new FairQueue<string>(WIDE);
    const costs = new Map([
      ["a", 1],
      ["b", 7],
      ["c", 30],
    ]);
    for (const [tenant, cost] of costs) queue.add(tenant, same(tenant, Math.ceil(3000 / cost), cost));
    const spent = new Map<string, number>();
    for (let sum = 0; sum < 3000;) {
      const tenant = queue.take()?.[0] ?? "";
      const cost = costs.get(tenant) ?? 0;
      spent.set(tenant, (spent.get(tenant) ?? 0) + cost);
      sum += cost;
    }
    for (const share of spent.values()) {
      expect(share).toBeGreaterThan(1000 - 40);
      expect(share).toBeLessThan(1000 + 40);
    }
  });

  test("a small request waits for one turn of each other tenant, however much they have waiting", () => {
    const queue = new FairQueue<string>(WIDE);
    for (const tenant of ["a", "b", "c"]) queue.add(tenant, same(tenant, 1000, 5));
    for (let i = 0; i < 7; i++) queue.take();
    queue.add("small", slices("s", 1));
    expect(takeAll(queue).indexOf("s0")).toBeLessThanOrEqual(3 * 2);
  });

  test("what is dearer than a turn is saved for, and starves nobody nor is starved", () => {
    const queue = new FairQueue<string>(WIDE);
    queue.add("dear", slices("d", 35, 35));
    queue.add("cheap", same("c", 20, 5));
    const taken = takeAll(queue);
    // Three turns of 10 pass, in the fourth it has 40.
    expect(taken.slice(0, 8)).toEqual(["c0", "c1", "c2", "c3", "c4", "c5", "d0", "c6"]);
    expect(taken).toHaveLength(22);
  });

  test("a dear slice is not passed by later requests of its own tenant", () => {
    const queue = new FairQueue<string>(WIDE);
    queue.add("a", slices("dear", 100));
    queue.add("a", same("later", 50, 1));
    queue.add("b", same("b", 10, 10));
    const taken = [];
    for (let item = queue.take(); item !== undefined; item = queue.take()) {
      taken.push(item);
      queue.passOn();
    }
    expect(taken.indexOf("dear0")).toBeLessThan(taken.indexOf("later0"));
  });

  test("a tenant that comes back has saved nothing up", () => {
    const queue = new FairQueue<string>(WIDE);
    queue.add("a", slices("a", 1));
    queue.take();
    queue.add("b", same("b", 4, 10));
    queue.add("a", same("x", 4, 10));
    expect(takeAll(queue)).toEqual(["b0", "x0", "b1", "x1", "b2", "x2", "b3", "x3"]);
  });

  test("a slice that does not fit stays the next one", () => {
    const queue = new FairQueue<string>(WIDE);
    queue.add("a", slices("a", 5, 5, 5));
    queue.add("b", slices("b", 5));
    expect(queue.take((item) => item !== "a0")).toBeUndefined();
    expect(takeAll(queue)).toEqual(["a0", "a1", "b0", "a2"]);
  });

  test("requests of one tenant are served in order of arrival, or in turns", () => {
    const [inOrder, inTurns] = [new FairQueue<string>(WIDE), new FairQueue<string>(WIDE)];
    for (const queue of [inOrder, inTurns]) {
      queue.add("t", slices("a", 1, 1, 1));
      queue.add("t", slices("b", 1, 1));
    }
    expect(takeAll(inOrder)).toEqual(["a0", "a1", "a2", "b0", "b1"]);
    const taken = [];
    for (let item = inTurns.take(); item !== undefined; item = inTurns.take()) {
      taken.push(item);
      inTurns.passOn();
    }
    expect(taken).toEqual(["a0", "b0", "a1", "b1", "a2"]);
  });
});

describe("bounds", () => {
  test("a tenant fills its own share only, and others are still admitted", () => {
    const queue = new FairQueue<string>({ quantum: 10, most: 100, mostOfOne: 50 });
    expect(queue.add("greedy", same("g", 5, 10))).not.toBeNull();
    expect(queue.add("greedy", slices("g", 1))).toBeNull();
    expect(queue.add("other", slices("o", 50))).not.toBeNull();
    expect(queue.waiting).toEqual({ slices: 6, cost: 100 });
    // All is taken: who has less than an equal part waiting may still add up to it.
    expect(queue.add("third", slices("t", 1))).not.toBeNull();
    expect(queue.add("third", slices("t", 32))).not.toBeNull();
    expect(queue.add("third", slices("t", 1))).toBeNull();
    expect(queue.add("fourth", slices("f", 1))).not.toBeNull();
  });

  test("what is above the share is accepted where its tenant has nothing waiting", () => {
    const queue = new FairQueue<string>({ quantum: 10, most: 100, mostOfOne: 50 });
    expect(queue.add("a", slices("a", 500))).not.toBeNull();
    expect(queue.add("a", slices("a", 1))).toBeNull();
    expect(queue.add("b", slices("b", 500))).not.toBeNull();
    expect(takeAll(queue).sort()).toEqual(["a0", "b0"]);
    expect(queue.waiting).toEqual({ slices: 0, cost: 0 });
    expect(queue.add("a", slices("a", 1))).not.toBeNull();
  });

  test("a slice without cost, which would never end a turn, is a bug", () => {
    expect(() => new FairQueue<string>(WIDE).add("a", slices("a", 0))).toThrow("bug");
    expect(() => new FairQueue<string>(WIDE).add("a", [])).toThrow("bug");
  });
});

describe("leaving", () => {
  test("takes what was not taken, gives the share back, and may be done twice or late", () => {
    const queue = new FairQueue<string>({ quantum: 10, most: 100, mostOfOne: 50 });
    const first = queue.add("a", slices("a", 10, 10, 10));
    queue.add("a", slices("b", 10));
    expect(queue.take()).toBe("a0");
    first?.leave();
    first?.leave();
    expect(queue.waiting).toEqual({ slices: 1, cost: 10 });
    expect(takeAll(queue)).toEqual(["b0"]);
    first?.leave();
    expect(queue.waiting).toEqual({ slices: 0, cost: 0 });
  });

  test("clear gives what waited", () => {
    const queue = new FairQueue<string>(WIDE);
    queue.add("a", slices("a", 1, 1));
    queue.add("b", slices("b", 1));
    queue.take();
    expect(queue.clear()).toEqual(["a1", "b0"]);
    expect([queue.waiting, queue.take()]).toEqual([{ slices: 0, cost: 0 }, undefined]);
  });
});

test("no order of arrivals and departures loses a slice or the count", () => {
  const queue = new FairQueue<string>({ quantum: 7, most: 400, mostOfOne: 150 });
  let state = 12345;
  const random = (below: number) => (state = (state * 1103515245 + 12345) & 0x7fffffff) % below;
  const expected = new Map<string, number>();
  const requests: { leave(): void; own: Slice<string>[] }[] = [];
  for (let i = 0; i < 5000; i++) {
    const act = random(4);
    if (act <= 1) {
      const own = Array.from({ length: 1 + random(4) }, (_, n) => ({ item: `${i}/${n}`, cost: 1 + random(30) }));
      const waiting = queue.add(`t${random(5)}`, own);
      if (waiting === null) continue;
      requests.push({ leave: () => waiting.leave(), own });
      for (const { item, cost } of own) expected.set(item, cost);
    } else if (act === 2) {
      const item = queue.take();
      expect(item === undefined).toBe(expected.size === 0);
      if (item !== undefined) expect(expected.delete(item)).toBe(true);
      if (random(2) === 0) queue.passOn();
    } else if (requests.length > 0 && random(5) === 0) {
      const [gone] = requests.splice(random(requests.length), 1);
      gone?.leave();
      for (const { item } of gone?.own ?? []) expected.delete(item);
    }
    expect(queue.waiting).toEqual({ slices: expected.size, cost: [...expected.values()].reduce((a, b) => a + b, 0) });
  }
  expect(takeAll(queue).sort()).toEqual([...expected.keys()].sort());
});
