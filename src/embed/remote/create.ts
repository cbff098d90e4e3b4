/** From an operator's settings to a provider: dialects by name, what is known of hosted models, a probe for the rest. */
import type { EmbedFailure, ModelInfo } from "../provider.ts";
import { embedFailure } from "../provider.ts";
import { knownModel } from "../known-models.ts";
import { addressProblem } from "./address.ts";
import { cohereDialect } from "./cohere.ts";
import type { Dialect, DialectName } from "./dialect.ts";
import { googleDialect } from "./google.ts";
import type { HttpAccess } from "./http.ts";
import { postJson } from "./http.ts";
import { mistralDialect } from "./mistral.ts";
import { openaiCompatibleDialect, openaiDialect } from "./openai.ts";
import type { RemoteLimits, RemoteOptions } from "./remote-provider.ts";
import { RemoteProvider, withoutKey } from "./remote-provider.ts";
import { voyageDialect } from "./voyage.ts";
import { classify, failureOf } from "./classify.ts";

export const DIALECTS: Readonly<Record<DialectName, Dialect>> = {
  openai: openaiDialect,
  "openai-compatible": openaiCompatibleDialect,
  cohere: cohereDialect,
  voyage: voyageDialect,
  mistral: mistralDialect,
  google: googleDialect,
};

/** A remote model as the operator names it. */
export interface RemoteModel {
  /** Name that clients use. */
  id: string;
  dialect: DialectName;
  /** Name at the provider; the id where not set. */
  model?: string | undefined;
  /** Base address up to the version ("https://host/v1"); the provider's own where not set. */
  address?: string | undefined;
  apiKey?: string | undefined;
  /** Needed for models that are not in the catalog; a probe finds it out. */
  dimensions?: number | undefined;
  maxTokens?: number | undefined;
  queryPrefix?: string | undefined;
  passagePrefix?: string | undefined;
  usdPerMillionTokens?: number | undefined;
  /** See ModelInfo; 0 where not set. */
  unrelatedCosine?: number | undefined;
  limits?: Partial<RemoteLimits> | undefined;
}

export type RemoteSetup =
  | { ok: true; provider: RemoteProvider }
  /** `needsProbe`: all that is missing are the dimensions, which a probe tells. */
  | { ok: false; problem: string; needsProbe?: boolean | undefined };

/** `extra` is for tests: what waits, the clock, chance. */
export function createRemoteProvider(
  remote: RemoteModel,
  access: HttpAccess,
  extra: Pick<RemoteOptions, "wait" | "now" | "random"> = {},
): RemoteSetup {
  const base = baseAddress(remote);
  if (!base.ok) return base;
  const model = remote.model ?? remote.id;
  const known = knownOf(remote, model);
  const dimensions = remote.dimensions ?? known?.matryoshka?.at(-1) ?? known?.dimensions;
  if (dimensions === undefined) {
    const problem = `the dimensions of '${model}' are not known: probe it or name them`;
    return { ok: false, problem, needsProbe: true };
  }
  const info: ModelInfo = {
    id: remote.id,
    revision: revisionOf(remote, model, base.address, dimensions),
    dimensions,
    defaultDimensions: remote.dimensions ?? known?.dimensions ?? dimensions,
    matryoshka: known?.matryoshka?.filter((size) => size <= dimensions) ?? null,
    matryoshkaExact: known?.matryoshkaExact ?? false,
    maxTokens: remote.maxTokens ?? known?.maxTokens ?? 512,
    // As much as it takes: what a call costs is decided by its texts, not by their number.
    windowTokens: remote.maxTokens ?? known?.maxTokens ?? 512,
    location: "remote",
    queryPrefix: remote.queryPrefix ?? "",
    passagePrefix: remote.passagePrefix ?? "",
    unrelatedCosine: remote.unrelatedCosine ?? 0,
  };
  const askDimensions = known?.matryoshka === undefined || known.matryoshka === null ? null : dimensions;
  const provider = new RemoteProvider({
    ...extra,
    info,
    dialect: DIALECTS[remote.dialect],
    model,
    address: base.address,
    apiKey: remote.apiKey ?? "",
    access,
    askDimensions,
    usdPerMillionTokens: remote.usdPerMillionTokens ?? known?.usdPerMillionTokens ?? null,
    limits: remote.limits,
  });
  return { ok: true, provider };
}

/** Asks the provider for one vector: tells that address, key and name are right, and how long a vector is. */
export async function probeRemoteModel(
  remote: RemoteModel,
  access: HttpAccess,
  signal: AbortSignal,
): Promise<{ ok: true; dimensions: number } | EmbedFailure> {
  const base = baseAddress(remote);
  if (!base.ok) return embedFailure("rejected", base.problem);
  const dialect = DIALECTS[remote.dialect];
  const model = remote.model ?? remote.id;
  const outcome = await postJson(
    {
      url: new URL(`${base.address}/${dialect.path(model)}`),
      headers: dialect.headers(remote.apiKey ?? ""),
      body: dialect.body({ model, texts: ["probe"], kind: "query", dimensions: remote.dimensions ?? null }),
      signal,
      timeoutMs: 30_000,
      maxAnswerBytes: 1 << 20,
    },
    access,
  );
  if (outcome.kind === "aborted") return embedFailure("aborted", "the request was aborted");
  if (outcome.kind === "failure") return failureOf(dialect.name, outcome);
  if (outcome.status < 200 || outcome.status >= 300) {
    const error = withoutKey(dialect.error(outcome.json), remote.apiKey ?? "");
    return classify(dialect.name, outcome.status, error, null).failure;
  }
  try {
    const [vector] = dialect.read(outcome.json).vectors;
    if (vector !== undefined) return { ok: true, dimensions: vector.length };
  } catch {
    // Told below, as an answer without any vector is.
  }
  return embedFailure("rejected", `${dialect.name} answered something that is no embedding`);
}

function baseAddress(remote: RemoteModel): { ok: true; address: string } | { ok: false; problem: string } {
  const address = remote.address ?? DIALECTS[remote.dialect].address;
  if (address === null) return { ok: false, problem: `the dialect '${remote.dialect}' needs an address` };
  const problem = addressProblem(address);
  return problem === null ? { ok: true, address: address.replace(/\/+$/, "") } : { ok: false, problem };
}

/** The catalog knows the hosted models at their own providers, whatever a compatible server calls its own. */
function knownOf(remote: RemoteModel, model: string) {
  const known = knownModel(model);
  return known?.provider === remote.dialect ? known : undefined;
}

/** A hosted model is the same at every address; what another server calls by a name is that server's own. */
function revisionOf(remote: RemoteModel, model: string, address: string, dimensions: number): string {
  const where = remote.dialect === "openai-compatible" ? address : "";
  const parts = [remote.dialect, where, model, dimensions, remote.queryPrefix ?? "", remote.passagePrefix ?? ""];
  return new Bun.CryptoHasher("sha256").update(JSON.stringify(parts)).digest("hex").slice(0, 16);
}
