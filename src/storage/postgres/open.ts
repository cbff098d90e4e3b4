import { StartError } from "../../platform/data-dir.ts";
import { Postgres, type PostgresDatabase, serverLimits } from "./database.ts";
import type { PoolWatch } from "./pool.ts";

export interface PostgresOptions extends PoolWatch {
  /** Of the user in the address, where it is not in there. */
  password?: string | undefined;
  /** ms that a statement may take, and the wait for a connection. */
  timeout?: number | undefined;
  /** Connections at most. */
  connections?: number | undefined;
  /** Told how long a transaction was open, where that was long. */
  onLong?: ((ms: number) => void) | undefined;
}

const TIMEOUT_MS = 10_000;
const CONNECTIONS = 8;

/** Opens the database at `postgres://user@host/name`; the tables are the migrations'. @throws StartError */
export async function openPostgres(address: string, options: PostgresOptions = {}): Promise<PostgresDatabase> {
  const url = new URL(address);
  const isPooled = url.searchParams.get("pool") === "transaction";
  url.searchParams.delete("pool");
  const timeout = options.timeout ?? TIMEOUT_MS;
  const database = new Postgres({
    driver: {
      url,
      ...(options.password === undefined ? {} : { password: options.password }),
      prepare: !isPooled,
      connection: { application_name: "lectern", ...(isPooled ? {} : serverLimits(timeout)) },
    },
    timeout,
    max: options.connections ?? CONNECTIONS,
    isPooled,
    onLong: options.onLong,
    onAway: options.onAway,
    onBack: options.onBack,
  });
  try {
    await database.get("SELECT 1 AS one");
    return database;
  } catch (error) {
    await database.close();
    throw new StartError("the database named by --database cannot be reached", { cause: error });
  }
}
