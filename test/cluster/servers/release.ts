import { cpSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { MIGRATIONS } from "../../../src/storage/migrations/index.ts";
import { POSTGRES_MIGRATIONS } from "../../../src/storage/migrations/postgres/runner.ts";
import { ROOT } from "../../helpers/server.ts";
import { tempDir } from "../../helpers/temp-dir.ts";

/** What stands for a later release: a copy of the sources with steps of the schema that this checkout does not know. */
export interface Release extends Disposable {
  /** How its `lectern` is called. */
  readonly command: readonly string[];
  /** Its schema version. */
  readonly schema: number;
}

export interface NextStep {
  sql: string;
  /** Older executables may not use a database after it. */
  isContract?: boolean;
}

/** Where the lists of steps stand, and the version that the last of each leaves safe. */
const LISTS = [
  { list: "index.ts", safe: MIGRATIONS.at(-1)?.minSafeVersion ?? 0 },
  { list: "postgres/runner.ts", safe: POSTGRES_MIGRATIONS.at(-1)?.minSafeVersion ?? 0 },
];

/** `steps` are the same on SQLite and PostgreSQL. */
export async function laterRelease(steps: readonly NextStep[]): Promise<Release> {
  const dir = tempDir();
  cpSync(join(ROOT, "src"), dir.join("src"), { recursive: true, filter: (path) => !path.endsWith(".test.ts") });
  for (const name of [
    "node_modules",
    "dist",
    "models",
    "package.json",
    "bunfig.toml",
    "tsconfig.json",
    "NOTICE",
    "LICENSE",
  ])
    symlinkSync(join(ROOT, name), dir.join(name));
  const known = MIGRATIONS.at(-1)?.version ?? 0;
  for (const { list, safe } of LISTS) {
    const path = dir.join("src/storage/migrations", list);
    let text = await Bun.file(path).text();
    let least = safe;
    for (const [i, { sql, isContract = false }] of steps.entries()) {
      const version = known + i + 1;
      if (isContract) least = version;
      await Bun.write(join(path, "..", `${version}-next.ts`), `export const sql = ${JSON.stringify(sql)};\n`);
      const entry = `  { version: ${version}, sql: next${version}, minSafeVersion: ${least} },\n];`;
      text = `import { sql as next${version} } from "./${version}-next.ts";\n${text.replace(/^\];$/m, entry)}`;
    }
    await Bun.write(path, text);
  }
  return {
    command: [process.execPath, dir.join("src/main.ts")],
    schema: known + steps.length,
    [Symbol.dispose]: () => dir[Symbol.dispose](),
  };
}
