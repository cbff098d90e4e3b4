import { afterEach, beforeEach, expect, spyOn, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import type { FromWorker, ToWorker } from "./worker-link.ts";
import { relayWorker } from "./worker-relay.ts";
import { lacks } from "../../test/helpers/lacks.ts";

const SCORE = "/proc/self/oom_score_adj";
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP", "disconnect", "message"] as const;
const fixture = new URL("./worker-pool.fixture.ts", import.meta.url);

/** This process stands in for a worker's; what it would listen to for ever is taken away again. */
let before: { listeners: Map<string, unknown[]>; score: string | null; send: typeof process.send | undefined };
let sent: FromWorker[];
let onSent: () => void;

beforeEach(() => {
  before = {
    listeners: new Map(SIGNALS.map((name) => [name, process.listeners(name as "SIGINT")])),
    score: existsSync(SCORE) ? readFileSync(SCORE, "utf8") : null,
    send: process.send,
  };
  [sent, onSent] = [[], () => undefined];
  process.send = ((message: FromWorker) => {
    sent.push(message);
    onSent();
    return true;
  }) as NonNullable<typeof process.send>;
});
afterEach(() => {
  for (const name of SIGNALS) for (const listener of added(name)) process.off(name, listener as NodeJS.SignalsListener);
  if (before.score !== null) writeFileSync(SCORE, before.score);
  if (before.send === undefined) delete process.send;
  else process.send = before.send;
});

function added(name: (typeof SIGNALS)[number]): unknown[] {
  return process.listeners(name as "SIGINT").filter((one) => before.listeners.get(name)?.includes(one) !== true);
}

/** What comes over the channel goes to the listeners of this test's relay alone. */
function receive(message: ToWorker): void {
  for (const listener of added("message")) (listener as (message: ToWorker) => void)(message);
}

async function answered(count: number): Promise<FromWorker[]> {
  while (sent.length < count) await new Promise<void>((resolve) => (onSent = resolve));
  return sent;
}

test("what comes is passed to the worker and its answers back, until it ends and the process with it", async () => {
  const ended = Promise.withResolvers<number>();
  relayWorker(fixture, ended.resolve);
  receive({ type: "init", init: { greeting: "hello" } });
  receive({ type: "call", id: 1, method: "echo", args: "you" });
  receive({ type: "call", id: 2, method: "fail", args: "no good" });
  expect(await answered(2)).toMatchObject([
    { type: "result", id: 1, result: "hello you" },
    { type: "error", id: 2, error: { name: "TypeError", message: "no good" } },
  ]);
  receive({ type: "stop" });
  expect(await ended.promise).toBe(0);
});

test("a worker that cannot be loaded ends the process as failed", async () => {
  const ended = Promise.withResolvers<number>();
  relayWorker(new URL("./there-is-none.fixture.ts", import.meta.url), ended.resolve);
  expect(await ended.promise).toBe(1);
});

test("the process outlives the signals of its server's terminal, and dies when its server is gone", async () => {
  const ended = Promise.withResolvers<number>();
  relayWorker(fixture, ended.resolve);
  using kill = spyOn(process, "kill").mockReturnValue(true);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) expect(added(signal)).toHaveLength(1);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) (added(signal)[0] as () => void)();
  expect(kill).not.toHaveBeenCalled();
  (added("disconnect")[0] as () => void)();
  expect(kill).toHaveBeenCalledWith(process.pid, "SIGKILL");
  receive({ type: "stop" });
  await ended.promise;
});

test.skipIf(lacks("the score of a process that runs out of memory", existsSync(SCORE)))(
  "the kernel, out of memory, takes it before its server",
  async () => {
    const ended = Promise.withResolvers<number>();
    relayWorker(fixture, ended.resolve);
    expect(Number(readFileSync(SCORE, "utf8"))).toBe(900);
    receive({ type: "stop" });
    await ended.promise;
  },
);
