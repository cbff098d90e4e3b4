import { parseAddress } from "./address.ts";
import { Postgres, type PostgresDatabase } from "./database.ts";
import type { PoolWatch } from "./pool.ts";
import { probe } from "./probes.ts";

export interface PostgresOptions extends PoolWatch {
  /** Of the user in the address, where it is not in there. */
  password?: string | undefined;
  /** ms that a statement may take, and the wait for a connection. */
  timeout?: number | undefined;
  /** Connections at most. */
  connections?: number | undefined;
  /** Told how long a transaction was open, where that was long. */
  onLong?: ((ms: number) => void) | undefined;
  /** Told what a person should know of the server. */
  onNotice?: ((text: string) => void) | undefined;
}

const TIMEOUT_MS = 10_000;
const CONNECTIONS = 8;

/**
 * Opens the database that an address names (address.ts), after a look whether it can be the truth (probes.ts). Its
 * tables are the migrations' business.
 *
 * @throws StartError with a sentence for the operator
 */
export async function openPostgres(address: string, options: PostgresOptions = {}): Promise<PostgresDatabase> {
  const { password, timeout = TIMEOUT_MS, connections = CONNECTIONS, onNotice, ...watch } = options;
  const parsed = parseAddress(address, password);
  const { driver, takesLimits, notices } = await probe(parsed, timeout);
  for (const notice of notices) onNotice?.(notice);
  return new Postgres({ ...watch, driver, timeout, max: connections, tellsLimits: !takesLimits });
}
