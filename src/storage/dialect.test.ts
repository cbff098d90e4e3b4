import { expect, test } from "bun:test";
import { numbers, texts, toPostgres, twin } from "./dialect.ts";

test("a statement is said to PostgreSQL as it is written, but for keys and words to SQLite's planner", () => {
  expect(toPostgres("SELECT ?2, ?1 FROM vector v INDEXED BY vector_by_chunk WHERE a = ?1")).toBe(
    "SELECT ?2, ?1 FROM vector v WHERE a = ?1",
  );
  expect(toPostgres("INSERT INTO job (a) VALUES (?1) ON CONFLICT (kind, subject) DO NOTHING")).toBe(
    "INSERT INTO job (a) VALUES (?1) ON CONFLICT (tenant_id, kind, subject) DO NOTHING",
  );
  for (const same of ["ON CONFLICT DO NOTHING", "ON CONFLICT (tenant_id) DO NOTHING", `a IN ${numbers(1)}`, texts(2)])
    expect(toPostgres(same)).toBe(same);
});

test("a statement that has a twin is said as that, and to SQLite as it is", () => {
  const one = twin("SELECT max(1, ?1)", "SELECT greatest(1, ?1)");
  expect([one, toPostgres(one)]).toEqual(["SELECT max(1, ?1)", "SELECT greatest(1, ?1)"]);
});
