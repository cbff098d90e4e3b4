import { knownModel } from "../embed/known-models.ts";
import { messageOf } from "../errors.ts";
import type { RemoteModelTable } from "./model-tables.ts";
import { openRemote, type RemoteOptions } from "./remote-entry.ts";

/** What one text told of a remote model that is not set up yet. */
export type RemoteTrial =
  | {
      ok: true;
      dimensions: number;
      maxTokens: number;
      unrelated: number | null;
      latencyMs: number;
      table: RemoteModelTable;
    }
  | { ok: false; problem: string };

const PROBE_MS = 15_000;

/**
 * Asks a remote model for a vector, under the rules that it would be called under: which addresses, which variables for
 * its key. `table` of the answer is what is to be written down, so that a start asks nobody.
 */
export async function tryRemote(options: RemoteOptions, wanted: RemoteModelTable): Promise<RemoteTrial> {
  const isKnown = knownModel(wanted.model ?? wanted.id)?.provider === wanted.dialect;
  // Of a model that nobody knows the length is asked for, so that it is right whatever was said.
  const { dimensions: said, ...unsized } = wanted;
  const source = options.sources.sourceOf(isKnown ? wanted : unsized);
  if (!source.ok) return { ok: false, problem: source.problem };
  const opened = await openRemote(source, options);
  if ("problem" in opened) return { ok: false, problem: opened.problem };
  const { batcher, info } = opened;
  const startedAt = performance.now();
  try {
    const asked = { tenant: "", kind: "query", isSearch: true, signal: AbortSignal.timeout(PROBE_MS) } as const;
    const answer = await batcher.embed(["A probe."], asked);
    if (!answer.ok) return { ok: false, problem: answer.detail };
  } catch (error) {
    return { ok: false, problem: messageOf(error) };
  }
  const latencyMs = performance.now() - startedAt;
  const { dimensions, maxTokens } = info;
  if (!isKnown && said !== undefined && said !== dimensions)
    return { ok: false, problem: `its vectors have ${dimensions} dimensions, not ${said}` };
  const unrelated = isKnown ? null : Math.round(info.unrelatedCosine * 1000) / 1000;
  const found = { dimensions, max_tokens: maxTokens, ...(unrelated !== null && { unrelated_cosine: unrelated }) };
  return { ok: true, dimensions, maxTokens, unrelated, latencyMs, table: { ...wanted, ...found } };
}
