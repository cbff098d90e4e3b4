/** Migrations as the verbs see them: which there are, following one to its end, and what it found. */
import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import type { Client } from "./client.ts";
import { STORES } from "./find-store.ts";
import { printFields } from "./output.ts";
import { barOf } from "./progress.ts";
import { fitWidth, formatDuration, printable } from "./terminal.ts";
import type { Terminal } from "./terminal.ts";

const nullable = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) => Type.Union([schema, Type.Null()]);
const Percentiles = Type.Object({ p50: Type.Number(), p95: Type.Number() });
const Both = Type.Object({ from: Type.Number(), to: Type.Number() });

const Report = Type.Object({
  queries: Type.Integer(),
  source: Type.String(),
  overlap_at_10: Type.Number(),
  rank_correlation: Type.Number(),
  self_retrieval: Type.Number(),
  counts: Both,
  latency_ms: Type.Object({ from: Percentiles, to: Percentiles }),
  ndcg_at_10: nullable(Both),
  recall_at_10: nullable(Both),
  gate: Type.String(),
  reasons: Type.Array(Type.String()),
});

const Identity = Type.Object({ embedding_model: Type.String(), dimensions: Type.Integer() });

export const Migration = Type.Object({
  id: Type.String(),
  vector_store_id: Type.String(),
  status: Type.String(),
  from: Identity,
  to: Identity,
  progress: Type.Object({
    chunks_done: Type.Integer(),
    chunks_total: Type.Integer(),
    files_behind: Type.Integer(),
    chunks_per_second: Type.Number(),
    eta_seconds: nullable(Type.Integer()),
    cost_usd: nullable(Type.Number()),
  }),
  dry_run: Type.Boolean(),
  report: nullable(Report),
  last_error: nullable(Type.Object({ code: Type.String(), message: Type.String() })),
  rollback_until: nullable(Type.Integer()),
});
export type Migration = Static<typeof Migration>;

const Page = Type.Object({ data: Type.Array(Migration) });
const POLL_MS = { first: 50, last: 1000 };

/** The newest first. */
export async function migrationsOf(
  client: Client,
  storeId: string,
  limit: number,
  signal: AbortSignal,
): Promise<Migration[]> {
  const path = `${STORES}/${storeId}/migrations?limit=${limit}&order=desc`;
  return (await client.send(Page, "GET", path, undefined, signal)).data;
}

/**
 * Follows a migration until `isOver`: a moving line on a terminal, a line for each state elsewhere. Throws when `signal`
 * aborts; the migration goes on at the server.
 */
export async function followMigration(
  client: Client,
  first: Migration,
  isOver: (migration: Migration) => boolean,
  terminal: Terminal,
): Promise<Migration> {
  const { signal, errIsTerminal } = terminal;
  const path = `${STORES}/${first.vector_store_id}/migrations/${first.id}`;
  let seen = first;
  let shown = "";
  try {
    for (let pauseMs = POLL_MS.first; ; pauseMs = Math.min(POLL_MS.last, pauseMs * 1.5)) {
      if (errIsTerminal) terminal.err(`\r\x1b[2K${fitWidth(lineOf(seen), terminal.columns - 1)}`);
      else if (seen.status !== shown) terminal.err(`${lineOf(seen)}\n`);
      shown = seen.status;
      if (isOver(seen)) return seen;
      await Bun.sleep(pauseMs);
      signal.throwIfAborted();
      seen = await client.send(Migration, "GET", path, undefined, signal);
    }
  } finally {
    if (errIsTerminal) terminal.err("\r\x1b[2K");
  }
}

function lineOf({ status, progress }: Migration): string {
  const {
    chunks_done: done,
    chunks_total: total,
    chunks_per_second: rate,
    eta_seconds: eta,
    cost_usd: cost,
  } = progress;
  const parts = [
    status.replaceAll("_", " "),
    ...(total === 0 ? [] : [barOf(done, total), `${done}/${total} chunks`]),
    rate > 0 ? `${Math.round(rate)}/s` : "",
    eta === null ? "" : `${formatDuration(eta)} left`,
    cost === null ? "" : `${cost.toFixed(4)} USD`,
    progress.files_behind > 0 ? `${progress.files_behind} files behind` : "",
  ];
  return parts.filter((part) => part !== "").join("  ");
}

/** What the comparison of both indexes found; nothing where there was none yet. */
export function printReport({ report, from, to }: Migration, terminal: Terminal): void {
  if (report === null) return;
  const share = (value: number) => value.toFixed(3);
  const change = (name: string, pair: Static<typeof Both> | null): [string, string][] =>
    pair === null ? [] : [[name, `${share(pair.from)} -> ${share(pair.to)}`]];
  const { p95: before } = report.latency_ms.from;
  const { p95: after } = report.latency_ms.to;
  const model = ({ embedding_model: name, dimensions }: Migration["from"]) => `${printable(name)} (${dimensions})`;
  printFields(terminal, [
    ["model", `${model(from)} -> ${model(to)}`],
    ["compared on", `${report.queries} ${report.source} queries`],
    ["overlap at 10", share(report.overlap_at_10)],
    ["rank correlation", share(report.rank_correlation)],
    ["self-retrieval", share(report.self_retrieval)],
    ...change("nDCG at 10", report.ndcg_at_10),
    ...change("recall at 10", report.recall_at_10),
    ["chunks", `${report.counts.from} -> ${report.counts.to}`],
    ["latency p95", `${before.toFixed(1)} ms -> ${after.toFixed(1)} ms`],
    ["gate", report.gate],
  ]);
  for (const reason of report.reasons) terminal.out(`  ${printable(reason)}\n`);
}
