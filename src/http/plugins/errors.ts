import { Elysia } from "elysia";
import { AppError } from "../../errors.ts";
import type { ErrorCode } from "../../errors.ts";
import type { Dialect } from "../dialect.ts";
import type { ErrorBody } from "../openai.ts";
import type { RefusalShape } from "../operation.ts";
import { isOutOfDescriptors } from "../../platform/descriptors.ts";
import { isDiskFull } from "../../platform/disk-trust.ts";
import { outOfDescriptors } from "./connections.ts";

/**
 * The one table from codes to HTTP, and the only maker of error bodies.
 * Elysia's own error answers (422s that repeat the request, plain-text 404s) never reach a client:
 * `errorsPlugin` is registered first and covers every route.
 */
interface Row {
  status: number;
  type: "invalid_request_error" | "authentication_error" | "permission_error" | "rate_limit_error" | "server_error";
  /** OpenAI's hosted service has no code here: `openai-strict` says null. */
  openaiNull?: true;
  /** Its clients know it by its message: no dialect has a code. */
  codeless?: true;
  /** Sending it again soon can help, although its status says nothing of that. */
  again?: true;
}

const bad = (status = 400): Row => ({ status, type: "invalid_request_error" });
const unnamed = (status: number): Row => ({ ...bad(status), openaiNull: true });
const codeless = (status: number): Row => ({ ...bad(status), codeless: true });

const ROWS: Record<ErrorCode, Row> = {
  missing_required_parameter: bad(),
  unknown_parameter: bad(),
  invalid_type: bad(),
  invalid_value: bad(),
  integer_above_max_value: bad(),
  integer_below_min_value: bad(),
  decimal_above_max_value: bad(),
  decimal_below_min_value: bad(),
  array_above_max_length: bad(),
  array_below_min_length: bad(),
  string_above_max_length: bad(),
  string_below_min_length: bad(),
  object_above_max_properties: bad(),
  invalid_json: unnamed(400),
  invalid_multipart: unnamed(400),
  invalid_encoding: bad(),
  unsupported_encoding: bad(415),
  payload_too_large: bad(413),
  request_timeout: bad(408),
  invalid_name: bad(),
  name_too_long: bad(),
  invalid_embedding_model: bad(),
  missing_embedding_model: bad(),
  invalid_dimensions: bad(),
  invalid_metadata: bad(),
  metadata_too_large: bad(),
  invalid_file_ids: bad(),
  invalid_filter: bad(),
  too_many_files: bad(),
  invalid_since: bad(),
  invalid_window: bad(),
  unsupported_file: bad(),
  unsupported_parameter: bad(),
  unsupported_value: bad(),
  language_model_required: bad(),
  previous_response_not_found: bad(),
  tool_calls_unpaired: codeless(400),
  context_length_exceeded: bad(),
  chat_model_without_tools: bad(),
  chat_model_rejected_request: bad(),
  invalid_api_key: bad(401),
  permission_denied: bad(403),
  vector_store_suspended: bad(402),
  unknown_url: unnamed(404),
  vector_store_not_found: unnamed(404),
  vector_store_file_not_found: unnamed(404),
  file_not_found: unnamed(404),
  file_content_not_found: unnamed(404),
  file_batch_not_found: unnamed(404),
  upload_not_found: unnamed(404),
  model_not_found: bad(404),
  DeploymentNotFound: bad(404),
  migration_not_found: unnamed(404),
  key_not_found: unnamed(404),
  tenant_not_found: unnamed(404),
  deletion_not_found: unnamed(404),
  eval_not_found: unnamed(404),
  judgment_not_found: unnamed(404),
  response_not_found: codeless(404),
  conversation_not_found: codeless(404),
  item_not_found: codeless(404),
  assistant_not_found: codeless(404),
  thread_not_found: codeless(404),
  message_not_found: codeless(404),
  run_not_found: codeless(404),
  run_step_not_found: codeless(404),
  vector_store_expired: unnamed(400),
  vector_store_unavailable: bad(409),
  file_not_cancellable: bad(409),
  file_not_retryable: bad(409),
  upload_not_pending: unnamed(400),
  migration_in_progress: bad(409),
  migration_not_cancellable: bad(409),
  migration_not_searchable: bad(409),
  migration_not_promotable: bad(409),
  migration_not_rollbackable: bad(409),
  model_not_deletable: bad(403),
  response_not_cancellable: codeless(400),
  thread_locked: codeless(400),
  run_not_cancellable: codeless(400),
  tool_outputs_refused: codeless(400),
  conversation_locked: { ...bad(409), again: true },
  vector_store_limit_reached: bad(403),
  file_limit_reached: bad(403),
  storage_limit_reached: bad(403),
  rate_limit_exceeded: { status: 429, type: "rate_limit_error" },
  overloaded: { status: 429, type: "rate_limit_error" },
  insufficient_storage: { status: 507, type: "server_error" },
  storage_unavailable: { status: 503, type: "server_error" },
  backup_elsewhere: { status: 501, type: "server_error" },
  embedding_provider_error: { status: 502, type: "server_error" },
  embedding_model_unavailable: { status: 503, type: "server_error" },
  reranker_unavailable: { status: 503, type: "server_error" },
  chat_model_unavailable: { status: 502, type: "server_error" },
  chat_model_timeout: { status: 504, type: "server_error" },
  chat_model_rejected_key: { status: 502, type: "server_error" },
  chat_model_not_found: { status: 502, type: "server_error" },
  shutting_down: { status: 503, type: "server_error" },
  too_many_connections: { status: 503, type: "server_error" },
  internal_error: { status: 500, type: "server_error" },
};

export function statusOf(code: ErrorCode): number {
  return ROWS[code].status;
}

/** Whether sending the same request again could help; clients would otherwise repeat 409s and all of 5xx. */
function isRetryable(status: number): boolean {
  return status === 408 || status === 429 || status === 500 || status === 502 || status === 503;
}

/** Where it is told in another shape than OpenAI's. */
export interface ToldAs {
  shape: RefusalShape | null;
  request: Request;
}

/** The answer to a failed request: OpenAI's envelope, or that of its operation, with the headers that clients obey. */
export function errorResponse(error: AppError, dialect: Dialect, told?: ToldAs): Response {
  const { status: usual, type, openaiNull, codeless: isCodeless, again } = ROWS[error.code];
  const status = told?.shape?.status?.(error.code, usual) ?? usual;
  const isNull = isCodeless === true || (dialect === "openai-strict" && openaiNull === true);
  const code = isNull ? null : error.code;
  const usualBody: ErrorBody = { error: { message: error.message, type, param: error.param, code }, ...error.beside };
  const body = told?.shape?.body(error, { status, request: told.request }) ?? usualBody;
  const headers = new Headers({ "content-type": "application/json" });
  if (again === true && !error.isFinal) headers.set("x-should-retry", "true");
  else if (error.isFinal || !isRetryable(status)) headers.set("x-should-retry", "false");
  if (status === 429 || status === 503)
    headers.set("retry-after", String(Math.max(1, Math.ceil(error.retryAfterSeconds ?? 1))));
  if (status === 401) headers.set("www-authenticate", "Bearer");
  return new Response(JSON.stringify(body), { status, headers });
}

/** What a client is told about anything thrown; only an AppError speaks for itself. */
export function asAppError(thrown: unknown): AppError {
  if (thrown instanceof AppError) return thrown;
  if (isOutOfDescriptors(thrown)) return outOfDescriptors(thrown);
  if (isDiskFull(thrown)) {
    const message =
      "There is not enough free disk space on the server for what was asked. Try again when its operator has freed some.";
    return new AppError("insufficient_storage", message, { cause: thrown });
  }
  return new AppError("internal_error", "The server had an error while processing your request. Sorry about that!", {
    cause: thrown,
  });
}

/** An address that nothing answers to; `near` is one that is served and may have been meant. */
export function unknownUrl(method: string, path: string, near: string | null = null): AppError {
  const hint = near === null ? "" : `. Did you mean ${near.slice(0, 200)}?`;
  return new AppError("unknown_url", `Invalid URL (${method} ${path.slice(0, 200)})${hint}`);
}

/** Catches what Elysia itself raises before or after a handler. */
export function errorsPlugin(
  handle: (thrown: unknown, request: Request) => Response,
  near: (path: string) => string | null,
) {
  return new Elysia({ name: "errors" }).onError({ as: "global" }, ({ error, code, request }) => {
    if (code !== "NOT_FOUND") return handle(error, request);
    const { pathname } = new URL(request.url);
    return handle(unknownUrl(request.method, pathname, near(pathname)), request);
  });
}
