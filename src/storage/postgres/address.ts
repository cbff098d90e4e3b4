import { readFileSync } from "node:fs";
import type { SQL } from "bun";
import { StartError } from "../../platform/data-dir.ts";

/** Where a database is and how it is reached, as `--database` names it. */
export interface PostgresAddress {
  /** For people and logs: no password. */
  readonly shown: string;
  /** A pooler in between gives each transaction another connection (`?pool=transaction`). */
  readonly isPooled: boolean;
  /** For the driver, the password in it. */
  readonly driver: SQL.PostgresOrMySQLOptions;
}

const FORM = "postgres://USER@HOST/NAME?sslmode=verify-full";
const SSL_MODES = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"] as const;
type SslMode = (typeof SSL_MODES)[number];
const POOLS = ["session", "transaction"];
const PARAMETERS = ["sslmode", "sslrootcert", "pool", "host"];
const LOOPBACK = new Set(["localhost", "127.0.0.1", "[::1]"]);
const PORT = 5432;

/**
 * Reads an address. What the environment says to other clients of PostgreSQL (PGHOST, DATABASE_URL …) is not looked at.
 *
 * @param password of the user, where it is not in the address
 * @throws StartError with a sentence that does not repeat the address, for there may be a password in it
 */
export function parseAddress(text: string, password?: string): PostgresAddress {
  const url = readUrl(text);
  const given = (name: string): string | null => url.searchParams.get(name);
  const unknown = [...url.searchParams.keys()].find((name) => !PARAMETERS.includes(name));
  if (unknown !== undefined) refuse(`has the parameter ${unknown}; there are ${PARAMETERS.join(", ")}`);
  const username = decoded(url.username);
  if (username === "") refuse(`names no user; it looks like ${FORM}`);
  const database = decoded(url.pathname.slice(1));
  if (database === "" || database.includes("/")) refuse(`names no database; it looks like ${FORM}`);
  const socket = given("host");
  if (socket !== null && !socket.startsWith("/"))
    refuse("has a parameter host that is not the directory of a socket; other hosts stand before the name");
  const pool = given("pool") ?? "session";
  if (!POOLS.includes(pool)) refuse(`has pool=${pool}; there are ${POOLS.join(" and ")}`);
  const port = url.port === "" ? PORT : Number(url.port);
  const host = socket ?? url.hostname.replace(/^\[(.*)\]$/, "$1");
  return {
    shown: `postgres://${username}@${socket ?? url.hostname}:${port}/${database}`,
    isPooled: pool === "transaction",
    driver: {
      adapter: "postgres",
      // Without one the driver takes DATABASE_URL of the environment; every part of it is said below once more, for
      // PGDATABASE and others stand above the address.
      url: `postgres://${url.hostname}:${port}/`,
      hostname: host,
      port,
      username,
      password: password ?? decoded(url.password),
      database,
      tls: tlsOf(given("sslmode"), given("sslrootcert"), socket !== null || LOOPBACK.has(url.hostname)),
      channelBinding: "disable",
      ...(socket === null ? {} : { path: socket }),
    },
  };
}

function readUrl(text: string): URL {
  if (!/^postgres(?:ql)?:\/\//.test(text)) refuse(`does not begin with postgres://; it looks like ${FORM}`);
  // What lies between the user and the name; a list of hosts is no URL.
  if (/^[a-z]+:\/\/(?:[^@/]*@)?[^/?]*,/.test(text))
    refuse("names several hosts; name one that leads to the primary: a virtual address, or a proxy in front of them");
  try {
    return new URL(text);
  } catch {
    return refuse(`is no address; it looks like ${FORM} (signs that mean something else there are written as %40)`);
  }
}

/** In the clear on this machine; elsewhere encrypted where the server can, unless the address says what must be. */
function tlsOf(mode: string | null, rootFile: string | null, isLocal: boolean): SQL.PostgresOrMySQLOptions["tls"] {
  if (mode !== null && !isMode(mode)) refuse(`has sslmode=${mode}; there are ${SSL_MODES.join(", ")}`);
  if (rootFile === null) return mode ?? (isLocal ? "disable" : "prefer");
  if (mode !== null && mode !== "verify-ca" && mode !== "verify-full")
    refuse(`has an sslrootcert that sslmode=${mode} would not look at; write sslmode=verify-full`);
  try {
    const ca = readFileSync(rootFile, "utf8");
    // The driver checks the name as well wherever it is given an authority.
    return mode === "verify-ca" ? { ca, checkServerIdentity: () => undefined } : { ca };
  } catch {
    return refuse(`names a file as sslrootcert that cannot be read: ${rootFile}`);
  }
}

function isMode(text: string): text is SslMode {
  return SSL_MODES.some((mode) => mode === text);
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return refuse("has a % that is not followed by two digits; write %25 for it");
  }
}

function refuse(problem: string): never {
  throw new StartError(`the address of --database ${problem}`);
}
