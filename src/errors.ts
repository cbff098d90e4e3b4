/**
 * The closed list of things that can go wrong in a way a client is told about.
 * Imported by every room, imports nothing. HTTP statuses belong to the api room,
 * which maps every code here in one table; messages are for people, codes for programs.
 */
export const ERROR_CODES = [
  // The request itself
  "missing_required_parameter",
  "unknown_parameter",
  "invalid_type",
  "invalid_value",
  "integer_above_max_value",
  "integer_below_min_value",
  "array_above_max_length",
  "array_below_min_length",
  "string_above_max_length",
  "string_below_min_length",
  "decimal_above_max_value",
  "decimal_below_min_value",
  "object_above_max_properties",
  "invalid_json",
  "invalid_multipart",
  "invalid_encoding",
  "unsupported_encoding",
  "payload_too_large",
  "request_timeout",
  "invalid_name",
  "name_too_long",
  "invalid_embedding_model",
  "missing_embedding_model",
  "invalid_dimensions",
  "invalid_metadata",
  "metadata_too_large",
  "invalid_file_ids",
  "invalid_filter",
  "too_many_files",
  "invalid_since",
  "invalid_window",
  "unsupported_file",
  "unsupported_parameter",
  "unsupported_value",
  "language_model_required",
  "previous_response_not_found",
  "tool_calls_unpaired",
  "context_length_exceeded",
  "chat_model_without_tools",
  "chat_model_rejected_request",
  // Who asks
  "invalid_api_key",
  "permission_denied",
  "vector_store_suspended",
  // What is asked for
  "unknown_url",
  "vector_store_not_found",
  "vector_store_file_not_found",
  "file_not_found",
  "file_content_not_found",
  "file_batch_not_found",
  "upload_not_found",
  "model_not_found",
  // As Azure calls it; its clients look for this word.
  "DeploymentNotFound",
  "migration_not_found",
  "key_not_found",
  "tenant_not_found",
  "deletion_not_found",
  "eval_not_found",
  "judgment_not_found",
  "response_not_found",
  "conversation_not_found",
  "item_not_found",
  "assistant_not_found",
  "thread_not_found",
  "message_not_found",
  "run_not_found",
  "run_step_not_found",
  // Its state
  "vector_store_expired",
  "vector_store_unavailable",
  "file_not_cancellable",
  "file_not_retryable",
  "upload_not_pending",
  "migration_in_progress",
  "migration_not_cancellable",
  "migration_not_searchable",
  "migration_not_promotable",
  "migration_not_rollbackable",
  "model_not_deletable",
  "response_not_cancellable",
  "thread_locked",
  "run_not_cancellable",
  "tool_outputs_refused",
  "conversation_locked",
  // Limits
  "vector_store_limit_reached",
  "file_limit_reached",
  "storage_limit_reached",
  "rate_limit_exceeded",
  "overloaded",
  "insufficient_storage",
  // Others' and our own failures
  "embedding_provider_error",
  "embedding_model_unavailable",
  "reranker_unavailable",
  "chat_model_unavailable",
  "chat_model_timeout",
  "chat_model_rejected_key",
  "chat_model_not_found",
  "storage_unavailable",
  "backup_elsewhere",
  "shutting_down",
  "too_many_connections",
  "internal_error",
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

export interface AppErrorOptions {
  /** The request parameter at fault, as the client wrote it, e.g. `file_ids` or `filters.key`. */
  param?: string | undefined;
  /** Seconds after which a retry makes sense; becomes `Retry-After`. */
  retryAfterSeconds?: number | undefined;
  /** The same request is not to be sent again: what it asked for had begun. */
  isFinal?: boolean | undefined;
  /** Said beside the error: what was done before it. */
  beside?: Readonly<Record<string, number>> | undefined;
  cause?: unknown;
}

/**
 * A request cannot go on. `message` is shown to the client as it is: it names the parameter and the
 * way out, never a path, a key, another tenant's data or an exception's text (that goes into `cause`).
 */
export class AppError extends Error {
  override name = "AppError";
  readonly code: ErrorCode;
  readonly param: string | null;
  readonly retryAfterSeconds: number | null;
  readonly isFinal: boolean;
  readonly beside: Readonly<Record<string, number>>;

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.param = options.param ?? null;
    this.retryAfterSeconds = options.retryAfterSeconds ?? null;
    this.isFinal = options.isFinal === true;
    this.beside = options.beside ?? {};
  }
}

/** A condition that only a bug can break. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`This is a bug in Lectern: ${message}`);
}

/** What a caught value says of itself; anything can be thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The same as an error, for whoever keeps it or throws it later. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}
