import { expect, test } from "bun:test";
import { byRoom, linesOf, tooLow } from "./coverage.ts";

const LCOV = `TN:
SF:src/jobs/a.ts
DA:1,5
DA:2,0
end_of_record
SF:src/jobs/a.ts
DA:2,1
DA:3,0
end_of_record
SF:src/main.ts
DA:1,1
end_of_record
`;

const isTypes = (source: string) => source.endsWith("types.ts");

test("records of one file are one: a line that any of them hit is hit", () => {
  expect([...linesOf(LCOV)]).toEqual([
    ["src/jobs/a.ts", { found: 3, hit: 2 }],
    ["src/main.ts", { found: 1, hit: 1 }],
  ]);
});

test("files are added up by room, and those that nothing loads are named unless they are types alone", () => {
  expect(byRoom(linesOf(LCOV), ["jobs/a.ts", "jobs/b.ts", "jobs/types.ts", "errors.ts"], isTypes)).toEqual([
    { room: "(hall)", files: 1, found: 0, hit: 0, neverLoaded: ["errors.ts"] },
    { room: "jobs", files: 3, found: 3, hit: 2, neverLoaded: ["jobs/b.ts"] },
  ]);
});

test("a room below its bound, and every file that nothing loads, is told", () => {
  const rooms = byRoom(linesOf(LCOV), ["jobs/a.ts", "jobs/b.ts", "api/c.ts"], isTypes);
  expect(tooLow(rooms, { jobs: 66.7 })).toEqual([
    "src/api/c.ts is loaded by no unit test",
    "src/jobs/b.ts is loaded by no unit test",
    "jobs has 66.7 % of its lines covered, the bound is 66.7",
  ]);
  expect(tooLow(rooms, { jobs: 66.6 })).toHaveLength(2);
});
