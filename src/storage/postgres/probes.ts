import { randomUUID } from "node:crypto";
import { SQL } from "bun";
import { messageOf } from "../../errors.ts";
import { StartError } from "../../platform/data-dir.ts";
import type { PostgresAddress } from "./address.ts";
import { Connection } from "./connection.ts";
import { serverLimits } from "./database.ts";
import { sqlStateOf } from "./failures.ts";

/** What was found out about a server before anything is written to it. */
export interface Findings {
  /** As the server writes it, e.g. "15.8". */
  readonly version: string;
  /** Options for connections: with the limits of time, where the server (or what lies in front of it) takes them. */
  readonly driver: SQL.PostgresOrMySQLOptions;
  readonly takesLimits: boolean;
  /** Whether notifications arrive. Where not, what is waited for is looked for now and then. */
  readonly notifies: boolean;
  /** What a person should know; the server starts all the same. */
  readonly notices: readonly string[];
}

const OLDEST_MAJOR = 14;
/** ms */
const MOST_OFFSET = 5000;
/** That two clients of a pooler are given the same connection at the first try is likely, not certain. */
const TRIES = 4;
/** ms */
const NOTIFIED_WITHIN = 2000;

interface Facts {
  version_num: string;
  version: string;
  encoding: string;
  clock: number;
  read_only: string;
  fsync: string;
  synchronous_commit: string;
}

const FACTS = /*sql*/ `SELECT current_setting('server_version_num') AS version_num, current_setting('server_version') AS version,
  current_setting('server_encoding') AS encoding, (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS clock,
  current_setting('transaction_read_only') AS read_only, current_setting('fsync') AS fsync,
  current_setting('synchronous_commit') AS synchronous_commit`;

/**
 * Looks whether the server can be the truth. @throws StartError with a sentence where it cannot
 *
 * @param timeout ms for each statement, and for a connection
 */
export async function probe(address: PostgresAddress, timeout: number): Promise<Findings> {
  const { driver, takesLimits, connection } = await connect(address, timeout);
  try {
    const facts = await ask(address, connection);
    refuseUnfit(address, facts);
    if (!address.isPooled) await refusePooler(connection, { driver, timeout });
    const notifies = await isNotified(driver);
    return { version: facts.version, driver, takesLimits, notifies, notices: noticesOf(facts) };
  } finally {
    connection.lose(new Error("probed"));
  }
}

async function connect(address: PostgresAddress, timeout: number) {
  const plain = { ...address.driver, prepare: !address.isPooled, connection: { application_name: "lectern" } };
  const limited = { ...plain, connection: { ...plain.connection, ...serverLimits(timeout) } };
  // A pooler in front may pass no parameters on, and keeps them for whoever comes next where it does.
  if (!address.isPooled) {
    try {
      return {
        driver: limited,
        takesLimits: true,
        connection: await Connection.open({ driver: limited, timeout }),
      };
    } catch (error) {
      if (!/startup parameter/.test(messageOf(error))) throw unreachable(address, error);
    }
  }
  try {
    return { driver: plain, takesLimits: false, connection: await Connection.open({ driver: plain, timeout }) };
  } catch (error) {
    throw unreachable(address, error);
  }
}

async function ask(address: PostgresAddress, connection: Connection): Promise<Facts> {
  try {
    const from = Date.now();
    const [row] = await connection.send(FACTS, []);
    const facts = row as unknown as Facts;
    // Seen from the middle of the question.
    return { ...facts, clock: facts.clock - (from + Date.now()) / 2 };
  } catch (error) {
    throw unreachable(address, error);
  }
}

function refuseUnfit(address: PostgresAddress, facts: Facts): void {
  const major = Math.floor(Number(facts.version_num) / 10_000);
  if (major < OLDEST_MAJOR) {
    const problem = `is PostgreSQL ${facts.version}; Lectern needs ${OLDEST_MAJOR} or newer`;
    throw new StartError(`the database ${address.shown} ${problem}`);
  }
  if (facts.encoding !== "UTF8") {
    const problem = `keeps text as ${facts.encoding}; make one with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0`;
    throw new StartError(`the database ${address.shown} ${problem}`);
  }
  if (facts.read_only === "on") {
    const problem = "takes no writes (it is read-only, or a standby); name the primary";
    throw new StartError(`the database ${address.shown} ${problem}`);
  }
}

function noticesOf({ clock, fsync, synchronous_commit }: Facts): string[] {
  const notices: string[] = [];
  if (Math.abs(clock) > MOST_OFFSET) {
    const way = clock > 0 ? "ahead of" : "behind";
    notices.push(
      `the database's clock is ${Math.round(Math.abs(clock) / 1000)} s ${way} this machine's; set both by the same time server`,
    );
  }
  if (fsync === "off") notices.push("the database runs with fsync = off: a power cut may destroy all of it");
  if (synchronous_commit === "off") {
    notices.push(
      "the database runs with synchronous_commit = off: what was acknowledged in the last second may be lost when it crashes",
    );
  }
  return notices;
}

/**
 * Two connections of ours are two sessions, with a process each at the server; where they turn out to have been given the
 * same one, or one of them two, a pooler is in between, and prepared statements would go to whoever comes next.
 */
async function refusePooler(
  one: Connection,
  how: { driver: SQL.PostgresOrMySQLOptions; timeout: number },
): Promise<void> {
  const other = await Connection.open(how);
  try {
    const own = await pidIn(one);
    for (let i = 0; i < TRIES; i++) {
      // Held open, so that the first cannot have the same one again.
      const pid = await pidIn(other, "");
      // Where a pooler has no more of them, the first waits for this one.
      const asking = pidIn(one);
      await Promise.race([asking.catch(() => {}), Bun.sleep(how.timeout / 4)]);
      await other.script("COMMIT");
      if (pid === own || (await asking) !== own) throw new StartError(POOLER);
    }
  } catch (error) {
    if (error instanceof StartError) throw error;
    // Statements prepared for one session and not known in another, or transactions that a pooler does not take.
    throw new StartError(POOLER, { cause: error });
  } finally {
    other.lose(new Error("probed"));
  }
}

const POOLER =
  "--database leads through a connection pooler that gives each transaction another connection; add ?pool=transaction to the address (a pooler of single statements cannot be used)";

/** The process that serves a transaction. */
async function pidIn(connection: Connection, end = "COMMIT"): Promise<number> {
  const sent = [connection.script("BEGIN"), connection.script("SELECT pg_backend_pid() AS pid")] as const;
  const [, [row]] = await Promise.all(sent);
  if (end !== "") await connection.script(end);
  return Number(row?.["pid"]);
}

/** Through some poolers LISTEN succeeds, and nothing ever comes. */
async function isNotified(driver: SQL.PostgresOrMySQLOptions): Promise<boolean> {
  const sql = new SQL({ ...driver, max: 1, prepare: false });
  const channel = `lectern_probe_${randomUUID().replaceAll("-", "")}`;
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const late = setTimeout(resolve, NOTIFIED_WITHIN, false);
  try {
    const listening = sql.listen(channel, () => resolve(true));
    listening.then(
      () => sql.notify(channel, "").catch(() => resolve(false)),
      () => resolve(false),
    );
    return await promise;
  } finally {
    clearTimeout(late);
    void sql.close({ timeout: 0 }).catch(() => {});
  }
}

/** Why there is no connection, by what the server or the driver says. */
function unreachable({ shown, driver }: PostgresAddress, error: unknown): StartError {
  const state = sqlStateOf(error);
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const said = messageOf(error);
  let problem = `cannot be reached (${said}); is it running, and is the address right?`;
  if (state?.startsWith("28") === true || code.includes("AUTHENTICATION") || code.includes("PASSWORD"))
    problem = `does not let the user in (${said}); set the password with LECTERN_DATABASE_PASSWORD, or give the user access`;
  else if (state === "3D000")
    problem = `does not exist; make it with CREATE DATABASE "${driver.database}" ENCODING 'UTF8' TEMPLATE template0`;
  else if (state === "53300")
    problem = "has no connection left; raise max_connections, or lower --database-connections";
  else if (state !== null) problem = `refuses the server (${said})`;
  else if (/TLS|SSL|CERT|VERIFY|SIGNED/i.test(code))
    problem = `cannot be reached under TLS (${said}); see sslmode and sslrootcert in the address`;
  return new StartError(`the database ${shown} ${problem}`, { cause: error });
}
