import { join } from "node:path";

/**
 * What the development tools need in the environment on a machine with Bun and no Node: the linter starts its
 * type-aware half through a script for Node, unless it is told where the executable is.
 */
export function toolEnv(root: string): Record<string, string> {
  const platform = `${process.platform}-${process.arch}`;
  return { OXLINT_TSGOLINT_PATH: join(root, "node_modules/@oxlint-tsgolint", platform, "tsgolint") };
}

/** With `LECTERN_TEST_DATABASE=postgres` the API's tests run over PostgreSQL, but for those that look into SQLite's file. */
export const OVER_POSTGRES = process.env["LECTERN_TEST_DATABASE"] === "postgres";
