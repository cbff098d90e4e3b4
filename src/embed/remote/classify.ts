/** From a provider's HTTP status and words to a typed failure. */
import type { EmbedFailure } from "../provider.ts";
import { embedFailure } from "../provider.ts";
import type { DialectError, DialectName } from "./dialect.ts";
import type { FailureCause } from "./http.ts";

/** Words for "this text has more tokens than the model takes", as the providers and servers say it. */
const TOO_LONG =
  /too (long|large|many (input )?tokens)|maximum context|context (length|window|size)|max(imum)?[ _](input|sequence|token)|exceed\w* .*(token|length|context)|must (be shorter|have less)|(tokens?|length).{0,40}exceed|input_length|token limit/i;

/** An allowance that waiting does not bring back. */
export function isQuotaUsedUp(error: DialectError): boolean {
  return /insufficient_quota|billing|payment/i.test(`${error.code ?? ""} ${error.message}`);
}

/** The failure of a request that got no answer. */
export function failureOf(name: DialectName, { cause, detail }: { cause: FailureCause; detail: string }): EmbedFailure {
  const failure = embedFailure(cause === "answer" ? "rejected" : "unavailable", `${name}: ${detail}`);
  return cause === "settings" ? { ...failure, isLasting: true } : failure;
}

export function classify(
  name: DialectName,
  status: number,
  error: DialectError,
  waitMs: number | null,
): { ok: false; again: boolean; failure: EmbedFailure } {
  // A provider's message can repeat what was sent: only its beginning is kept.
  const words = error.message === "" ? "" : `: ${error.message.slice(0, 200)}`;
  const detail = `${name} answered ${status}${words}`;
  const give = (reason: EmbedFailure["reason"], again: boolean, text = detail) => {
    return {
      ok: false as const,
      again,
      failure: embedFailure(reason, text, waitMs === null ? undefined : Math.ceil(waitMs)),
    };
  };
  const lasting = (given: ReturnType<typeof give>) => ({ ...given, failure: { ...given.failure, isLasting: true } });
  switch (true) {
    case status === 429 && isQuotaUsedUp(error):
      return give("unavailable", false);
    case status === 429:
      return give("overloaded", true);
    case status === 401 || status === 403 || /api key not valid/i.test(error.message):
      return lasting(give("unavailable", false, `${detail} (is the provider's key right?)`));
    case status === 402:
      return give("unavailable", false);
    case status === 413 || (status >= 400 && status < 500 && TOO_LONG.test(`${error.code ?? ""} ${error.message}`)):
      return give("too_long", false);
    case status === 408 || status === 409 || status === 425 || status >= 500:
      return give("unavailable", true);
    default:
      return give("rejected", false);
  }
}
