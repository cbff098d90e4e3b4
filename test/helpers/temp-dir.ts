import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export interface TempDir extends Disposable {
  path: string;
  join(...parts: string[]): string;
}

/** A new directory that is removed at the end of the block: `using dir = tempDir()`. */
export function tempDir(): TempDir {
  const path = realpathSync(mkdtempSync(join(tmpdir(), "lectern-test-")));
  return {
    path,
    join: (...parts) => join(path, ...parts),
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true, maxRetries: 3 }),
  };
}
