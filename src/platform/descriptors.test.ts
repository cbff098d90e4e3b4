import { closeSync, existsSync, openSync } from "node:fs";
import { join } from "node:path";
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
  using watch = new DescriptorWatch((seen) => told.push(seen.open), {
    look: () => ({ open, most: 100 }),
    count: () => open,
  });
  for (open of [10, 79, 80, 95, 75, 85, 71, 90, 70, 79, 81, 99]) watch.look();
  expect(told).toEqual([80, 81]);
});

test("where the system does not tell, nothing is told", () => {
  const told: Descriptors[] = [];
  using watch = new DescriptorWatch((seen) => told.push(seen), { look: () => null, count: () => 1000 });
  watch.look();
  expect([told, watch.room()]).toEqual([[], "free"]);
});

test("what is left is known at every moment, also where the limit can be read no more", () => {
  const told: number[] = [];
  let open = 0;
  using watch = new DescriptorWatch((seen) => told.push(seen.open), {
    look: () => (open === 100 ? null : { open, most: 100 }),
    count: () => open,
  });
  const rooms: string[] = [];
  for (open of [10, 79, 80, 89, 90, 100, 85]) {
    if (open === 100) watch.look();
    rooms.push(watch.room());
  }
  expect([rooms, told]).toEqual([["free", "free", "near", "near", "full", "full", "near"], [80]]);
});

test("far from the limit one count is good for requests that come together, and for no others", () => {
  let counts = 0;
  let open = 10;
  const counting = (freshMs: number) =>
    new DescriptorWatch(() => {}, { look: () => ({ open, most: 100 }), count: () => (counts++, open), freshMs });
  using lasting = counting(Infinity);
  for (const more of [69, 95]) {
    expect(lasting.room()).toBe("free");
    open = more;
  }
  expect(counts).toBe(1);
  using passing = counting(Infinity);
  for (const [now, room] of [
    [70, "free"],
    [80, "near"],
    [90, "full"],
  ] as const)
    // prettier-ignore
    expect([(open = now), passing.room()]).toEqual([now, room]);
});

test.skipIf(lacks("a list of open files", existsSync("/proc/self/fd")))(
  "where nothing more can be opened the process is at its limit",
  () => {
    const script = `
      import { openSync } from "node:fs";
      import { DescriptorWatch, isOutOfDescriptors } from ${JSON.stringify(join(import.meta.dir, "descriptors.ts"))};
      using watch = new DescriptorWatch(() => {});
      const before = watch.room();
      let failed = null;
      try { for (;;) openSync("/dev/null", "r"); } catch (error) { failed = isOutOfDescriptors(error); }
      watch.look();
      console.log(JSON.stringify({ before, failed, room: watch.room() }));`;
    const { stdout } = Bun.spawnSync(["sh", "-c", 'ulimit -n 100 && exec "$0" -e "$1"', process.execPath, script]);
    expect(JSON.parse(stdout.toString())).toEqual({ before: "free", failed: true, room: "full" });
  },
);
