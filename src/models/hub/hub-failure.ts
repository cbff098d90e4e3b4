/** Why something could not be had from a hub: a sentence for whoever asked for it. */
export class HubError extends Error {
  override name = "HubError";
  /** Trying again soon can help. */
  readonly isPassing: boolean;
  /** How long the hub asks to wait first. */
  readonly retryAfterMs: number | null;

  constructor(message: string, options: { isPassing?: boolean; retryAfterMs?: number | null; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.isPassing = options.isPassing ?? false;
    this.retryAfterMs = options.retryAfterMs ?? null;
  }
}

/** What was asked for, as sentences name it. */
export interface Asked {
  /** The hub's or mirror's host. */
  host: string;
  model: string;
  revision: string;
  /** Page of the model, where access is asked for. */
  card: string;
  /** null: the list of files. */
  file: string | null;
  hasToken: boolean;
}

interface Refusal {
  status: number;
  headers: Headers;
  retryAfterMs: number | null;
  /** The host that answered: another one where the hub led to it. */
  by: string;
}

/** What an answer that is no success means. */
export function failureOf(asked: Asked, refusal: Refusal): HubError {
  const { status, headers, by } = refusal;
  switch (status) {
    case 401:
    case 403:
      return new HubError(accessProblem(asked, status, headers));
    case 404:
    case 410:
      return new HubError(absenceProblem(asked, status, headers));
    case 429: {
      const { retryAfterMs } = refusal;
      const wait = retryAfterMs === null ? "" : `, and asks to wait ${Math.ceil(retryAfterMs / 1000)} seconds`;
      const advice = asked.hasToken ? "" : "; with a token (--token-file FILE) a hub usually allows more";
      return new HubError(`${by} says that it was asked too often (429)${wait}${advice}.`, {
        isPassing: true,
        retryAfterMs,
      });
    }
    case 408:
      return new HubError(`${by} took too long (408).`, { isPassing: true });
    default: {
      const message = `${by} answers ${status} for ${wordsFor(asked)}.`;
      return new HubError(message, { isPassing: status >= 500, retryAfterMs: refusal.retryAfterMs });
    }
  }
}

export function wordsFor({ file, model, revision }: Asked): string {
  return file === null ? `the files of ${model} at ${revision}` : `${file} of ${model}`;
}

function accessProblem({ hasToken, host, model, card }: Asked, status: number, headers: Headers): string {
  const code = headers.get("x-error-code");
  const isGated = code === "GatedRepo" || status === 403;
  if (code === "RepoNotFound" && hasToken)
    return `${host} has no model ${model}, or the token may not see it (${status}): look at its name on ${host}.`;
  if (!hasToken) {
    const what = isGated
      ? `${model} is gated (${status}): ask for access at ${card}`
      : `${host} gives ${model} to nobody without a token (${status}): it is private or gated, or there is no such model; look at ${card}`;
    return `${what}, then make a token that may read it and name the file that holds it: --token-file FILE.`;
  }
  return isGated
    ? `the token may not read ${model} (${status}): ask for access at ${card} with the token's account, and let the token read gated models.`
    : `${host} does not take the token (${status}): it may have expired, or may not read ${model}.`;
}

function absenceProblem(asked: Asked, status: number, headers: Headers): string {
  const { host, model, revision, file } = asked;
  const code = headers.get("x-error-code");
  if (code === "RevisionNotFound") return `${model} has no revision ${revision} at ${host} (${status}).`;
  if (file !== null) return `${host} lists ${file} of ${model}, but does not have it (${status}).`;
  return `${host} has no model ${model} with a revision ${revision} (${status}): models are named owner/name there.`;
}
