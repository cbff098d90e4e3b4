import { expect, test } from "bun:test";
import { concernsOf } from "./health.ts";

const WELL = {
  disk: { free_bytes: 50, total_bytes: 100, database_bytes: 1 },
  queues: [{ kind: "ingest", waiting: 3, running: 1 }],
  lanes: [{ name: "parse", busy: 0, waiting: 0, restarts: 0 }],
};

test.each([
  ["nothing", {}, []],
  ["a disk that is nearly full", { disk: { free_bytes: 9, total_bytes: 100, database_bytes: 1 } }, ["disk"]],
  ["a disk of which nothing is known", { disk: { free_bytes: 0, total_bytes: 0, database_bytes: 1 } }, []],
  ["a long queue", { queues: [{ kind: "ingest", waiting: 1001, running: 1 }] }, ["queue"]],
  ["workers that ended", { lanes: [{ name: "parse", busy: 0, waiting: 0, restarts: 2 }] }, ["restarts"]],
] as const)("%s is what a person is told of", (_, changes, expected) => {
  expect(concernsOf({ ...WELL, ...changes } as typeof WELL)).toEqual([...expected]);
});
