import { mkdirSync } from "node:fs";
import { startServer, type StartOptions, type TestServer } from "../../helpers/server.ts";
import { tempDir } from "../../helpers/temp-dir.ts";
import { testDatabase } from "./postgres.ts";

/** Equal servers on one new database, with one place of uploads; each has a data directory of its own. */
export interface Replicas extends AsyncDisposable {
  readonly servers: readonly TestServer[];
}

export interface ReplicaOptions {
  count: number;
  env?: StartOptions["env"];
  /** Puts into each data directory what is to be there before the server starts. */
  prepare?: (dataDir: string) => Promise<void>;
}

export async function startReplicas({ count, env, prepare }: ReplicaOptions): Promise<Replicas> {
  await using stack = new AsyncDisposableStack();
  const dir = stack.use(tempDir());
  const database = await testDatabase();
  mkdirSync(dir.join("blobs"));
  const servers: TestServer[] = [];
  for (let i = 0; i < count; i++) {
    const dataDir = dir.join(`data-${i}`);
    await prepare?.(dataDir);
    const args = ["--log-level", "warn", "--database", database, "--blobs", `file://${dir.join("blobs")}`];
    servers.push(stack.use(await startServer({ dataDir, args, ...(env && { env }) })));
  }
  const kept = stack.move();
  return { servers, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}
