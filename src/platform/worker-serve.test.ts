import { afterEach, beforeEach, expect, spyOn, test } from "bun:test";
import type { FromWorker, ToWorker } from "./worker-link.ts";
import { serveCalls } from "./worker-serve.ts";

type TestMethods = { double: { args: number; result: number }; wait: { args: Promise<void>; result: string } };

/** This thread stands in for a worker's: what it posts is kept, what it is sent is handed over. */
const scope = globalThis as unknown as {
  postMessage: unknown;
  onmessage: ((event: { data: ToWorker }) => void) | null;
};
const before = { postMessage: scope.postMessage };
let exit: Disposable;
let posted: FromWorker[];
let transferred: unknown[];
let closed: PromiseWithResolvers<void>;
let onPosted: () => void;

beforeEach(() => {
  [posted, transferred, closed, onPosted] = [[], [], Promise.withResolvers(), () => undefined];
  scope.postMessage = (message: FromWorker, transfer: unknown[]) => {
    posted.push(message);
    transferred.push(...transfer);
    onPosted();
  };
  exit = spyOn(process, "exit").mockImplementation(() => closed.resolve() as never);
});
afterEach(() => {
  scope.onmessage = null;
  exit[Symbol.dispose]();
  Object.assign(scope, before);
});

const send = (message: ToWorker) => scope.onmessage?.({ data: message });

async function answered(count: number): Promise<FromWorker[]> {
  while (posted.length < count) await new Promise<void>((resolve) => (onPosted = resolve));
  return posted;
}

function serveDoubles(onStop: () => void = () => undefined): void {
  serveCalls<TestMethods, { factor: number }>(({ factor }) => {
    if (factor === 0) throw new RangeError("no factor");
    return {
      handlers: {
        double(n) {
          if (n < 0) throw new TypeError("below zero");
          return { result: n * factor, transfer: [new ArrayBuffer(n)] };
        },
        wait: async (until) => (await until, { result: "waited" }),
      },
      stop: onStop,
    };
  });
}

test("a call is answered under its number, with the buffers that are handed over", async () => {
  serveDoubles();
  send({ type: "init", init: { factor: 2 } });
  send({ type: "call", id: 7, method: "double", args: 21 });
  expect(await answered(1)).toEqual([{ type: "result", id: 7, result: 42 }]);
  expect(transferred).toEqual([new ArrayBuffer(21)]);
});

test("calls are answered one after the other, and one that throws holds up none", async () => {
  const first = Promise.withResolvers<void>();
  serveDoubles();
  send({ type: "init", init: { factor: 2 } });
  send({ type: "call", id: 1, method: "wait", args: first.promise });
  send({ type: "call", id: 2, method: "double", args: -1 });
  send({ type: "call", id: 3, method: "double", args: 1 });
  expect(posted).toEqual([]);
  first.resolve();
  expect(await answered(3)).toMatchObject([
    { type: "result", id: 1, result: "waited" },
    { type: "error", id: 2, error: { name: "TypeError", message: "below zero", stack: expect.any(String) } },
    { type: "result", id: 3, result: 2 },
  ]);
});

test("a call before the start, of no method, or after a start that failed is an error, not silence", async () => {
  serveDoubles();
  send({ type: "call", id: 1, method: "double", args: 1 });
  await answered(1);
  send({ type: "init", init: { factor: 2 } });
  send({ type: "call", id: 2, method: "halve", args: 1 });
  await answered(2);
  send({ type: "init", init: { factor: 0 } });
  send({ type: "call", id: 3, method: "double", args: 1 });
  const messages = (await answered(3)).map((one) => one.type === "error" && one.error.message);
  expect(messages).toEqual(["called before init", "unknown method halve", "no factor"]);
});

test("asked to stop, it answers what it is in, frees what it holds, and then ends", async () => {
  const order: string[] = [];
  const call = Promise.withResolvers<void>();
  serveDoubles(() => void order.push("freed"));
  onPosted = () => order.push("answered");
  send({ type: "init", init: { factor: 2 } });
  send({ type: "call", id: 1, method: "wait", args: call.promise });
  send({ type: "stop" });
  call.resolve();
  await closed.promise;
  expect(order).toEqual(["answered", "freed"]);
});

test("one whose start failed ends too", async () => {
  serveDoubles();
  send({ type: "init", init: { factor: 0 } });
  send({ type: "stop" });
  await closed.promise;
});
