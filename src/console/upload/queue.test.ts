import { expect, test } from "bun:test";
import { Queue } from "./queue.ts";

/** A queue whose work ends when the test says so. */
function held(most: number) {
  const running = new Map<string, { end: () => void; fail: (why: string) => void }>();
  const begun: string[] = [];
  const queue = new Queue<string>(most, (name, signal) => {
    begun.push(name);
    return new Promise((resolve, reject) => {
      running.set(name, { end: resolve, fail: (why) => reject(new Error(why)) });
      signal.addEventListener("abort", () => reject(new Error("aborted")));
    });
  });
  const settled = async () => {
    for (let i = 0; i < 5; i++) await Promise.resolve();
  };
  return { queue, running, begun, settled };
}

test("only so many run at once, in the order in which they came", async () => {
  const { queue, running, begun, settled } = held(2);
  for (const name of ["a", "b", "c", "d"]) queue.add(name);
  expect(begun).toEqual(["a", "b"]);
  expect(queue.open).toBe(4);
  running.get("b")?.end();
  await settled();
  expect(begun).toEqual(["a", "b", "c"]);
  expect([1, 2, 3, 4].map((id) => queue.stateOf(id)?.stage)).toEqual(["running", "done", "running", "waiting"]);
});

test("paused it begins nothing, and goes on from there", async () => {
  const { queue, running, begun, settled } = held(1);
  queue.add("a");
  queue.add("b");
  queue.pause();
  running.get("a")?.end();
  await settled();
  expect(begun).toEqual(["a"]);
  queue.goOn();
  expect(begun).toEqual(["a", "b"]);
});

test("a failure keeps its reason, does not hold up the rest, and is tried again at the end", async () => {
  const { queue, running, begun, settled } = held(1);
  const id = queue.add("a");
  queue.add("b");
  queue.add("c");
  running.get("a")?.fail("too large");
  await settled();
  expect(queue.stateOf(id)).toMatchObject({ stage: "failed", reason: "too large" });
  queue.retry(id);
  running.get("b")?.end();
  await settled();
  running.get("c")?.end();
  await settled();
  expect(begun).toEqual(["a", "b", "c", "a"]);
  running.get("a")?.end();
  await settled();
  expect([queue.stateOf(id)?.stage, queue.open]).toEqual(["done", 0]);
});

test("what is cancelled stops, or never begins, and is no failure", async () => {
  const { queue, begun, settled } = held(1);
  const [a, b] = [queue.add("a"), queue.add("b")];
  queue.cancel(b);
  queue.cancel(a);
  await settled();
  expect([queue.stateOf(a)?.stage, queue.stateOf(b)?.stage]).toEqual(["cancelled", "cancelled"]);
  expect(begun).toEqual(["a"]);
  queue.retry(b);
  expect(begun).toEqual(["a", "b"]);
  queue.cancelAll();
  await settled();
  expect(queue.open).toBe(0);
});

test("changes are told once a turn, and what is over can be forgotten", async () => {
  const { queue, running, settled } = held(2);
  let told = 0;
  queue.onChange = () => void told++;
  const id = queue.add("a");
  queue.add("b");
  await settled();
  expect(told).toBe(1);
  queue.forget(id);
  expect(queue.stateOf(id)?.stage).toBe("running");
  running.get("a")?.end();
  await settled();
  queue.forget(id);
  expect(queue.stateOf(id)).toBeUndefined();
});
