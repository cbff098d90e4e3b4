/** What clients are told when a chat model's server does not answer as it should. Never its address, never its key. */
import { AppError, type AppErrorOptions, type ErrorCode } from "../errors.ts";
import { headerWaitMs } from "../embed/remote/retry.ts";
import type { ChatModel } from "./chat-models.ts";

/** A call of a chat model failed. */
export class ChatError extends AppError {
  override name = "ChatError";
  /** Something of the answer had come: it is not asked for again. */
  readonly hasBegun: boolean;

  constructor(code: ErrorCode, message: string, options: AppErrorOptions & { hasBegun?: boolean } = {}) {
    super(code, message, options.hasBegun === true ? { ...options, isFinal: true } : options);
    this.hasBegun = options.hasBegun === true;
  }
}

/** Its server takes no tools; answers are made without. */
export class ToolsRefused extends Error {
  override name = "ToolsRefused";
}

const LONGEST_MESSAGE = 500;
/** As Ollama, vLLM and llama.cpp say it. */
const NO_TOOLS =
  /does not support tools|enable-auto-tool-choice|tool-call-parser|--jinja|unsupported param:? ?"?tools/i;

/** As llama.cpp, vLLM and hosted servers say it. */
const TOO_LONG =
  /exceeds? the (?:available )?(?:model's )?(?:maximum )?context|maximum context length|context_length_exceeded/i;

/** The failure of a call that was answered with a status of 300 or more. */
export function refusalOf(
  model: ChatModel,
  answer: { status: number; headers: Headers; message: string; code: string | null },
  askedWithTools: boolean,
): ChatError | ToolsRefused {
  const { status, headers, message, code } = answer;
  if (askedWithTools && isAboutTools(status, message)) return new ToolsRefused();
  const words = plain(model, message);
  const said = words === "" ? "" : `: ${words}`;
  if (status === 429) {
    const waitMs = headerWaitMs(headers, Date.now());
    return new ChatError("rate_limit_exceeded", `The chat model '${model.id}' is asked too often. Try again later.`, {
      retryAfterSeconds: waitMs === null ? undefined : waitMs / 1000,
    });
  }
  if (status === 401 || status === 403)
    return new ChatError(
      "chat_model_rejected_key",
      `The server of the chat model '${model.id}' refuses this server's key.`,
      {
        isFinal: true,
      },
    );
  if (status === 404 && (/model/i.test(message) || code === "model_not_found"))
    return new ChatError("chat_model_not_found", `The server of the chat model '${model.id}' does not have it.`, {
      isFinal: true,
    });
  const isBad = status >= 400 && status < 500 && ![402, 404, 405, 407, 408, 425].includes(status);
  if (isBad && (TOO_LONG.test(message) || code === "context_length_exceeded"))
    return new ChatError("context_length_exceeded", `This is too long for the chat model '${model.id}'${said}`);
  if (isBad)
    return new ChatError("chat_model_rejected_request", `The chat model '${model.id}' refused the request${said}`);
  return new ChatError("chat_model_unavailable", `The chat model '${model.id}' cannot answer now (status ${status}).`);
}

export function unavailable(model: ChatModel, reason: string, hasBegun = false): ChatError {
  return new ChatError("chat_model_unavailable", `The chat model '${model.id}' cannot answer now: ${reason}.`, {
    hasBegun,
  });
}

export function silent(model: ChatModel, hasBegun: boolean): ChatError {
  return new ChatError("chat_model_timeout", `The chat model '${model.id}' did not answer in time.`, { hasBegun });
}

/** What the server said, without what is the operator's own. */
function plain({ apiKey, address }: ChatModel, message: string): string {
  const secrets = [apiKey, address, URL.canParse(address) ? new URL(address).host : null];
  let words = message;
  for (const secret of secrets) if (secret !== null && secret !== "") words = words.replaceAll(secret, "…");
  return words.replaceAll(/\s+/g, " ").trim().slice(0, LONGEST_MESSAGE).toWellFormed();
}

function isAboutTools(status: number, message: string): boolean {
  if (NO_TOOLS.test(message)) return true;
  return (status === 404 || status === 422) && /\btools?\b/i.test(message);
}
