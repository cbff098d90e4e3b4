/** What a run is asked: the messages of its thread, and how documents are to be searched. */
import type { Question } from "../answers/answering.ts";
import type { KeptRunRequest, RunRow } from "../storage/runs.ts";
import type { KeptRankingOptions } from "../storage/thread-items.ts";
import type { MessageRow, MessagesTable } from "../storage/thread-messages.ts";

/** Of a thread, at most; a model has room for fewer. */
const MOST_MESSAGES = 500;

export interface KeptFileSearch {
  max_num_results?: number;
  ranking_options: KeptRankingOptions;
}

/** The last message of the user, also where an assistant's came after it. */
export async function questionOfRun(
  messages: Pick<MessagesTable, "lastOfUser" | "countAfter">,
  { tenant_id: tenantId, thread, request }: RunRow,
): Promise<Question> {
  const last = await messages.lastOfUser(tenantId, thread, Number.MAX_SAFE_INTEGER);
  if (last === null) return { text: "", previous: null };
  const before = await messages.lastOfUser(tenantId, thread, last.seq);
  const { last_messages: most } = request.truncation_strategy;
  const isLeftOut = before !== null && most !== null && (await messages.countAfter(thread, before.seq)) >= most;
  return { text: textOf(last), previous: before === null || isLeftOut ? null : textOf(before) };
}

/** The newest messages of the thread that were there before the run wrote any, oldest first. */
export async function threadOfRun(
  messages: Pick<MessagesTable, "list">,
  { tenant_id: tenantId, thread, id, request }: RunRow,
): Promise<MessageRow[]> {
  const most = request.truncation_strategy.last_messages ?? MOST_MESSAGES;
  const found: MessageRow[] = [];
  for (let after: number | undefined; found.length < most;) {
    const page = { limit: 100, order: "desc" as const, after };
    const { rows, hasMore } = await messages.list(tenantId, { thread, runId: null }, page);
    found.push(...rows.filter((row) => row.run_id !== id));
    after = rows.at(-1)?.seq;
    if (!hasMore) break;
  }
  return found.slice(0, most).reverse();
}

export function fileSearchOf({ tools }: KeptRunRequest): KeptFileSearch | null {
  const tool = tools.find(({ type }) => type === "file_search");
  return tool === undefined ? null : (tool["file_search"] as KeptFileSearch);
}

export function rankingOf(request: KeptRunRequest): KeptRankingOptions {
  return fileSearchOf(request)?.ranking_options ?? { ranker: "auto", score_threshold: 0 };
}

function textOf({ content }: MessageRow): string {
  return content
    .flatMap((part) => (part.type === "text" ? [part.text] : []))
    .join("\n")
    .trim();
}
