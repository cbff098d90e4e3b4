/** Work that is asked for, or ended, at another server than the one that has it. */
import { expect, test } from "bun:test";
import { waitFor } from "../../test/helpers/wait.ts";
import { createChanges } from "../platform/changes.ts";
import type { JobRow } from "../storage/jobs.ts";
import { endedElsewhere, endKey, interrupter, waker, WORK } from "./elsewhere.ts";
import type { JobHandler, JobOutcome } from "./runner.ts";

const never = new AbortController().signal;
const JOB: JobRow = {
  id: 1,
  tenant_id: "ten_1",
  kind: "answer",
  store_id: null,
  subject: "resp_1",
  priority: 1,
  attempt: 1,
  payload: "{}",
};

/** A job that goes on until it is interrupted or ended. */
function working(isOver: () => Promise<boolean>) {
  const changes = createChanges();
  let signal: AbortSignal | null = null;
  let end = (_outcome: JobOutcome) => {};
  const handler: JobHandler = {
    kind: "answer",
    concurrency: 3,
    run: (_job, over) =>
      new Promise((resolve) => {
        signal = over;
        end = resolve;
        over.addEventListener("abort", () => resolve({ type: "interrupted" }), { once: true });
      }),
  };
  const watched = endedElsewhere(handler, changes, isOver);
  return { changes, watched, end: (outcome: JobOutcome) => end(outcome), signal: () => signal };
}

test("a job is interrupted when told that what it works on has ended elsewhere", async () => {
  const state = { isOver: false, asked: 0 };
  const { changes, watched } = working(async () => {
    state.asked += 1;
    return state.isOver;
  });
  expect([watched.kind, watched.concurrency]).toEqual(["answer", 3]);
  const outcome = watched.run(JOB, never);
  changes.notify(endKey("resp_2"));
  changes.notify(endKey("resp_1"));
  await waitFor("it is asked", () => state.asked === 1 || undefined);
  state.isOver = true;
  changes.notify(endKey("resp_1"));
  expect(await outcome).toEqual({ type: "interrupted" });
  expect(state.asked).toBe(2);
});

test("a job goes on while the database is away, and an end of which nobody was told is seen", async () => {
  const answers: (() => Promise<boolean>)[] = [
    () => Promise.reject(new Error("away")),
    () => Promise.resolve(false),
    () => Promise.resolve(true),
  ];
  let asked = 0;
  const { watched } = working(() => answers[asked++]?.() ?? Promise.resolve(false));
  expect(await watched.run(JOB, never)).toEqual({ type: "interrupted" });
  expect(asked).toBe(3);
});

test("a job that ends by itself, or at the stop, is asked for no more", async () => {
  let asked = 0;
  const { changes, watched, end, signal } = working(async () => ++asked > 0);
  const outcome = watched.run(JOB, never);
  end({ type: "done" });
  expect(await outcome).toEqual({ type: "done" });
  changes.notify(endKey("resp_1"));
  const stop = new AbortController();
  const stopped = watched.run(JOB, stop.signal);
  stop.abort();
  expect([await stopped, signal()?.aborted, asked]).toEqual([{ type: "interrupted" }, true, 0]);
});

test("whoever ends a job, or brings work, does so here and tells the others", () => {
  const done: string[] = [];
  const changes = { notify: (key: string) => void done.push(`tell ${key}`) };
  const runner = {
    cancel: (kind: string, id: string) => void done.push(`cancel ${kind} ${id}`),
    wake: () => void done.push("wake"),
  };
  interrupter(runner, changes, "run")("run_1");
  waker(runner, changes)();
  expect(done).toEqual(["cancel run run_1", `tell ${endKey("run_1")}`, "wake", `tell ${WORK}`]);
});
