import { closeSync, existsSync, openSync } from "node:fs";
import { expect, test } from "bun:test";
import { type Descriptors, descriptors, DescriptorWatch } from "./descriptors.ts";
import { lacks } from "../../test/helpers/lacks.ts";

test.skipIf(lacks("a list of open files", existsSync("/proc/self/fd")))(
  "what is opened is counted, below what may be open",
  () => {
    const before = descriptors();
    const files = Array.from({ length: 10 }, () => openSync("/dev/null", "r"));
    const after = descriptors();
    for (const file of files) closeSync(file);
    expect((after?.open ?? 0) - (before?.open ?? 0)).toBe(10);
    expect(after?.most).toBeGreaterThan(after?.open ?? Infinity);
  },
);

test("coming near the limit is told once, and again after it was far", () => {
  const told: number[] = [];
  let open = 0;
  using watch = new DescriptorWatch(
    (seen) => told.push(seen.open),
    (): Descriptors => ({ open, most: 100 }),
  );
  for (open of [10, 79, 80, 95, 75, 85, 71, 90, 70, 79, 81, 99]) watch.look();
  expect(told).toEqual([80, 81]);
});

test("where the system does not tell, nothing is told", () => {
  const told: Descriptors[] = [];
  using watch = new DescriptorWatch(
    (seen) => told.push(seen),
    () => null,
  );
  watch.look();
  expect(told).toEqual([]);
});
