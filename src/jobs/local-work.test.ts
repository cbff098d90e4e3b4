import { expect, test } from "bun:test";
import { waitFor } from "../../test/helpers/wait.ts";
import { silentLog } from "../platform/log.ts";
import type { JobRow } from "../storage/jobs.ts";
import { LocalWork } from "./local-work.ts";
import type { JobOutcome } from "./runner.ts";

const generation = (id: number, store_id = "vs_1") => ({ id, tenant_id: "ten_1", store_id });

function setUp() {
  const begun: { job: JobRow; signal: AbortSignal; end(outcome: JobOutcome): void }[] = [];
  const work = new LocalWork(
    {
      kind: "build_index",
      concurrency: 1,
      run: (job, signal) =>
        new Promise((resolve) => {
          signal.addEventListener("abort", () => resolve({ type: "interrupted" }), { once: true });
          begun.push({ job, signal, end: resolve });
        }),
    },
    silentLog,
  );
  const nth = (n: number) => waitFor(`work ${n}`, () => begun[n]);
  return { work, begun, nth };
}

test("is done one after another, once for what is asked for several times, and again where it asks for that", async () => {
  const { work, begun, nth } = setUp();
  await using _work = work;
  work.schedule(generation(1));
  for (let i = 0; i < 3; i++) work.schedule(generation(2));
  expect(begun.map(({ job }) => job.subject)).toEqual(["1"]);
  begun[0]?.end({ type: "done" });
  const second = await nth(1);
  expect([second.job.subject, second.job.attempt]).toEqual(["2", 1]);
  second.end({ type: "retry", inMs: 1 });
  const again = await nth(2);
  expect([again.job.subject, again.job.attempt]).toEqual(["2", 2]);
});

test("of a store that goes is given up, and that of others goes on", async () => {
  const { work, begun, nth } = setUp();
  await using _work = work;
  work.schedule(generation(1));
  work.schedule(generation(2));
  work.schedule(generation(3, "vs_2"));
  work.cancelStore("vs_1");
  expect(begun[0]?.signal.aborted).toBe(true);
  expect((await nth(1)).job.subject).toBe("3");
});

test("ends with the server", async () => {
  const { work, begun } = setUp();
  work.schedule(generation(1));
  work.schedule(generation(2));
  await work[Symbol.asyncDispose]();
  expect([begun.length, begun[0]?.signal.aborted]).toEqual([1, true]);
  work.schedule(generation(3));
  expect(begun).toHaveLength(1);
});
