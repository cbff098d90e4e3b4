import { expect, test } from "bun:test";
import { EventLoopWatch } from "./event-loop.ts";

function work(ms: number): void {
  const cpu = () => (process.cpuUsage().user + process.cpuUsage().system) / 1000;
  for (const startedAt = cpu(); cpu() - startedAt < ms;);
}

test("the longest piece of work is told once", async () => {
  using watch = new EventLoopWatch();
  work(120);
  await new Promise((resolve) => setTimeout(resolve, 30));
  const longest = watch.take();
  expect(longest).toBeGreaterThan(0.06);
  await new Promise((resolve) => setTimeout(resolve, 30));
  expect(watch.take()).toBeLessThan(0.06);
});

test("work in small pieces is no long one", async () => {
  using watch = new EventLoopWatch();
  for (let i = 0; i < 30; i++) {
    work(5);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(watch.take()).toBeLessThan(0.09);
});
