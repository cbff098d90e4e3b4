import { AppError } from "../../errors.ts";

/**
 * The database is away: it cannot be reached, is starting or stopping, takes no writes, or has no connection left.
 * `reason` is for the operator (`/readyz`, the log); clients are told to come back, never an address or the driver's text.
 */
export class DatabaseAway extends AppError {
  override name = "DatabaseAway";
  readonly reason: string;

  constructor(reason: string, options: { cause?: unknown; isFinal?: boolean; message?: string } = {}) {
    super("storage_unavailable", options.message ?? AWAY, {
      retryAfterSeconds: RETRY_AFTER_SECONDS,
      isFinal: options.isFinal,
      cause: options.cause,
    });
    this.reason = reason;
  }
}

/** The connection was lost between COMMIT and its answer: what was asked for is there as a whole or not at all. */
export class CommitUnknown extends DatabaseAway {
  override name = "CommitUnknown";

  constructor(cause: unknown) {
    super("the database's connection was lost during a commit", { cause, isFinal: true, message: UNKNOWN });
  }
}

const RETRY_AFTER_SECONDS = 2;
const AWAY = "The server's database is not available just now. Try again in a moment.";
const UNKNOWN =
  "The connection to the server's database was lost while this was being saved, so it may or may not have been done. Look before sending it again.";
const BUSY =
  "The server's database is busy: others were in the way of this for too long, and nothing of it was done. Try again in a moment.";
const FULL =
  "There is not enough free disk space on the server's database for what was asked. Try again when its operator has freed some.";

/** The server's five characters, or null for what the driver raises itself. */
export function sqlStateOf(error: unknown): string | null {
  const errno = error instanceof Error && "errno" in error ? error.errno : null;
  return typeof errno === "string" && errno.length === 5 ? errno : null;
}

/**
 * What was asked for is undone, and the same again may succeed: other transactions were in the way (serialization failure,
 * deadlock, a lock that one of them kept for too long), or this process stood still for longer than a transaction may.
 */
export function mayBeDoneAgain(error: unknown): boolean {
  if (error instanceof CommitUnknown) return false;
  const state = sqlStateOf(error) ?? (error instanceof DatabaseAway ? sqlStateOf(error.cause) : null);
  return state === "40001" || state === "40P01" || state === LOCKED || state === STOOD_STILL;
}

/** A lock did not come free in time. */
const LOCKED = "55P03";
/** The server ended a transaction between two of its statements. */
const STOOD_STILL = "25P03";

/** Of the driver: the connection could not be made, was closed, or what came over it made no sense. */
function isOfConnection(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  if (code === "ERR_POSTGRES_SERVER_ERROR" || code === "") return false;
  return code.startsWith("ERR_POSTGRES_") ? !OF_OURS.has(code) : SYSTEM.test(code);
}

/** What the driver says where the caller is wrong, not the connection. */
const OF_OURS: ReadonlySet<string> = new Set([
  "ERR_POSTGRES_UNSAFE_TRANSACTION",
  "ERR_POSTGRES_NOT_TAGGED_CALL",
  "ERR_POSTGRES_INVALID_QUERY_BINDING",
  "ERR_POSTGRES_SYNTAX_ERROR",
  "ERR_POSTGRES_OVERFLOW",
  "ERR_POSTGRES_UNSUPPORTED_INTEGER_SIZE",
]);
/** Names in the host's resolver, and sockets. */
const SYSTEM = /^(?:E[A-Z]{4,}|ENOTFOUND|DNS_.*)$/;

/** What PostgreSQL, or a pooler in front of it, says when it is not there, by SQLSTATE. */
const AWAY_STATES: ReadonlyMap<string, string> = new Map([
  ["57P01", "the database is being stopped"],
  ["57P02", "the database crashed and is starting again"],
  ["57P03", "the database is starting or stopping"],
  ["25006", "the database takes no writes (it is read-only, or a standby)"],
  ["53300", "the database has no connection left for this server"],
  ["57014", "the database did not answer a statement in time"],
  ["25P03", "the database ended a transaction that had stood still"],
]);

/** Why the database is to be called away because of this, or null where it is not. */
export function awayReason(error: unknown): string | null {
  if (error instanceof DatabaseAway) return error.reason;
  if (isOfConnection(error)) return "the database cannot be reached";
  const state = sqlStateOf(error);
  if (state === null) return null;
  return AWAY_STATES.get(state) ?? (state.startsWith("08") ? "the connection to the database failed" : null);
}

/** Whether the server has said that a statement failed, and not only that it ends the connection. */
export function isAnswer(error: unknown): boolean {
  const state = sqlStateOf(error);
  return state !== null && !/^(?:57P0|08)/.test(state);
}

/** Whether the connection on which this came can be used for nothing further. */
export function endsConnection(error: unknown): boolean {
  if (isOfConnection(error)) return true;
  const state = sqlStateOf(error);
  // A standby stays one as long as the connection stands; the next one may lead to the primary.
  return state !== null && (/^(?:57P0|08)/.test(state) || state === "25P03" || state === "25006");
}

/** What a caller gets: errors of the driver as ours where clients are to be told something. */
export function toldError(error: unknown): unknown {
  if (error instanceof AppError) return error;
  const reason = awayReason(error);
  if (reason !== null) return new DatabaseAway(reason, { cause: error });
  if (sqlStateOf(error) === LOCKED)
    return new AppError("storage_unavailable", BUSY, { retryAfterSeconds: RETRY_AFTER_SECONDS, cause: error });
  if (sqlStateOf(error) === "53100") return new AppError("insufficient_storage", FULL, { cause: error });
  return error;
}
