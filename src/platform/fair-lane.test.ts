import { describe, expect, test } from "bun:test";
import { FairLane, type FairLaneOptions } from "./fair-lane.ts";

const { signal: never } = new AbortController();

/** A lane whose slices wait until the test lets them go. */
function held(options: Partial<FairLaneOptions<string, string>> = {}) {
  const started: { item: string; signal: AbortSignal; answer: PromiseWithResolvers<string> }[] = [];
  const lane = new FairLane<string, string>({
    quantum: 1,
    most: 100,
    mostOfOne: 50,
    slots: 1,
    run: (item, signal) => {
      const answer = Promise.withResolvers<string>();
      started.push({ item, signal, answer });
      return answer.promise;
    },
    ...options,
  });
  const submit = (tenant: string, items: string, signal = never) =>
    lane.submit(
      tenant,
      [...items].map((item) => ({ item, cost: 1 })),
      signal,
    );
  const finish = async (at: number): Promise<void> => {
    started[at]?.answer.resolve(`${started[at].item}!`);
    for (let i = 0; i < 10; i++) await Promise.resolve();
  };
  const finishAll = async (): Promise<void> => {
    for (let i = 0; i < started.length; i++) await finish(i);
  };
  return { lane, started, submit, finish, finishAll, order: () => started.map(({ item }) => item).join("") };
}
const failureOf = (promise: Promise<unknown> | null) =>
  promise?.then(
    () => "done",
    (error: unknown) => error,
  );

test("tenants take turns slice by slice, and each gets its results in order", async () => {
  const { submit, finishAll, order } = held();
  const [a, b] = [submit("a", "1234"), submit("b", "xy")];
  await finishAll();
  expect(order().indexOf("y")).toBeLessThan(order().indexOf("4"));
  expect([await a, await b]).toEqual([
    ["1!", "2!", "3!", "4!"],
    ["x!", "y!"],
  ]);
  expect(await submit("a", "")).toEqual([]);
});

test("requests of one tenant take turns too, and no more run at a time than there are slots", async () => {
  const { submit, started, finishAll, order, lane } = held({ slots: 2, quantum: 10 });
  void submit("a", "1234");
  void submit("a", "xy");
  expect(started).toHaveLength(2);
  expect(lane.stats()).toEqual({ waiting: 4, cost: 4, running: 2 });
  await finishAll();
  expect(order().indexOf("x")).toBeLessThan(4);
  expect(lane.stats()).toEqual({ waiting: 0, cost: 0, running: 0 });
});

test("a full share is refused, for its tenant alone", async () => {
  const { submit, finishAll } = held({ most: 6, mostOfOne: 3 });
  const first = submit("a", "1234");
  expect(submit("a", "5")).toBeNull();
  const other = submit("b", "xyz");
  expect(other).not.toBeNull();
  await finishAll();
  expect((await first)?.length).toBe(4);
  expect(submit("a", "5")).not.toBeNull();
});

describe("a request ends", () => {
  test("at once when its client goes: its slices leave, the one under way is told, others go on", async () => {
    const { submit, started, finish, finishAll, order, lane } = held();
    const gone = new AbortController();
    const left = failureOf(submit("a", "123", gone.signal));
    const other = submit("b", "x");
    gone.abort();
    expect(await left).toMatchObject({ name: "WorkerCallError", reason: "aborted" });
    expect(started[0]?.signal.aborted).toBe(true);
    expect(lane.stats().waiting).toBe(1);
    await finish(0);
    await finishAll();
    expect(order()).toBe("1x");
    expect(await other).toEqual(["x!"]);
    expect(await failureOf(submit("a", "1", gone.signal))).toMatchObject({ reason: "aborted" });
  });

  test("as its first slice that fails; the rest is not run", async () => {
    const { submit, started, finishAll, order } = held();
    const broken = failureOf(submit("a", "123"));
    const other = submit("b", "x");
    started[0]?.answer.reject(new Error("the graph failed"));
    expect(await broken).toEqual(new Error("the graph failed"));
    await finishAll();
    expect([order(), await other]).toEqual(["1x", ["x!"]]);
  });

  test("when the lane is closed, and none is taken afterwards", async () => {
    const { submit, lane, finish } = held();
    const ends = [failureOf(submit("a", "12")), failureOf(submit("b", "x"))];
    lane[Symbol.dispose]();
    for (const end of ends) expect(await end).toMatchObject({ reason: "closed" });
    expect(await failureOf(submit("a", "1"))).toMatchObject({ reason: "closed" });
    await finish(0);
    expect(lane.stats()).toEqual({ waiting: 0, cost: 0, running: 0 });
  });
});
