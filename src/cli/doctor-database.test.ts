import { describe, expect, test } from "bun:test";
import type { ServerReport } from "../storage/postgres/inspect.ts";
import { engineCheck, serverChecks } from "./doctor-database.ts";

const REPORT: ServerReport = {
  version: "15.8",
  synchronousCommit: "on",
  fsync: "on",
  synchronousStandbys: "",
  standbys: 0,
  connections: { most: 97, ofDatabase: null, ofUser: null, used: 12 },
  clockAhead: -1234,
};

const said = (report: Partial<ServerReport>, connections: number | null = 8) =>
  serverChecks({ ...REPORT, ...report }, connections).map(({ name, state, detail }) => `${state} ${name}: ${detail}`);

describe("what doctor says of a database server", () => {
  test("that is as it should be: version, what a commit waits for, its clock, connections", () => {
    expect(said({})).toEqual([
      "ok postgres: PostgreSQL 15.8; synchronous_commit = on, a commit waits for no standby; its clock is 1.23 s behind this machine's",
      "ok connections: 97 by max_connections, 12 in use now; a Lectern opens 10 at most",
    ]);
  });

  test.each<[name: string, report: Partial<ServerReport>, isWarned: boolean]>([
    ["no standby is waited for", { standbys: 2 }, true],
    [
      "one is named, and a commit does not wait",
      { standbys: 1, synchronousStandbys: "b", synchronousCommit: "local" },
      true,
    ],
    ["one is waited for", { standbys: 1, synchronousStandbys: "b" }, false],
  ])("with standbys: %s", (_, report, isWarned) => {
    expect(said(report).some((line) => line.startsWith("warn standbys"))).toBe(isWarned);
  });

  test.each<[name: string, connections: ServerReport["connections"], expected: string]>([
    ["of the server", { most: 7, ofDatabase: null, ofUser: null, used: 0 }, "warn connections: 7 by max_connections"],
    [
      "of the database",
      { most: 97, ofDatabase: 9, ofUser: 20, used: 0 },
      "warn connections: 9 by the limit of the database",
    ],
    ["of the user", { most: 97, ofDatabase: 30, ofUser: 10, used: 0 }, "ok connections: 10 by the limit of the user"],
  ])("whose connections are limited: %s", (_, connections, expected) => {
    expect(said({ connections })[1]).toStartWith(expected);
  });

  test("that searches stores itself: which version does, and how many", () => {
    const none = { ready: 0, loading: 0, bytes: 0 };
    expect(engineCheck({ extension: null, ...none }).detail).toContain("CREATE EXTENSION vector SCHEMA pgvector");
    const old = { version: "0.7.4", place: "public" };
    expect(engineCheck({ extension: old, ...none }).detail).toContain("ALTER EXTENSION vector UPDATE");
    const report = { extension: { version: "0.10.0", place: "pgvector" }, ready: 2, loading: 1, bytes: 2 ** 20 };
    expect(engineCheck(report)).toMatchObject({
      state: "ok",
      detail: "version 0.10.0: 2 stores searched in the database, 1 being prepared; 1 MiB",
    });
  });

  test("behind a pooler nothing of connections: they are the pooler's", () => {
    expect(said({}, null)).toHaveLength(1);
  });
});
