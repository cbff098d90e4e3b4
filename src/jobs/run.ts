import type { Answer, Answering, AnswerRequest, Question } from "../answers/answering.ts";
import { EXTRACTIVE_MODEL, QUOTED_LEAD } from "../answers/limits.ts";
import type { Responding } from "../answers/responding.ts";
import { answererOf, messageOfRun, runFailure, searchOfRun } from "../answers/run-outcome.ts";
import { historyOfRun, wishOfRun } from "../answers/run-request.ts";
import type { FileSearchTool } from "../answers/search-tool.ts";
import { AppError, messageOf } from "../errors.ts";
import type { Changes } from "../platform/changes.ts";
import type { Clock } from "../platform/clock.ts";
import { newId } from "../platform/ids.ts";
import type { Log } from "../platform/log.ts";
import { queriesOf } from "../search/questions.ts";
import { endRun, expireRun, type RunEnd } from "../storage/run-end.ts";
import type { StepRow } from "../storage/run-steps.ts";
import { hasEnded, type KeptRunError, type RunRow } from "../storage/runs.ts";
import type { Storage, Tables } from "../storage/storage.ts";
import type { KeptCall, KeptRankingOptions, KeptTokens } from "../storage/thread-items.ts";
import type { MessageRow } from "../storage/thread-messages.ts";
import { insertMessage, insertStep, NOTHING_USED } from "./run-rows.ts";
import { callsOf, RunScribe } from "./run-scribe.ts";
import type { JobHandler, JobOutcome } from "./runner.ts";
import { threadStoreOf } from "./thread-store.ts";

/**
 * Works on a run of a thread. What it says is kept in one transaction with the run's end, which only succeeds while the
 * run is in progress: so one that was cut off goes on from what is complete, and nothing is answered twice.
 */
export interface RunDeps {
  storage: Pick<Storage, "runs" | "steps" | "messages" | "threads" | "stores" | "storeFiles" | "transaction">;
  clock: Clock;
  log: Pick<Log, "error">;
  answering: Answering;
  /** Answers runs that a language model is to answer. */
  responding: Responding;
  /** Whether there is a language model, so that what is quoted says that it is. */
  hasModels: () => boolean;
  changes: Changes;
  /** `model`: what answered. */
  onEnd: (status: RunRow["status"], model: string) => void;
}

/** A process that was killed while it worked begins anew so often. */
const MOST_ATTEMPTS = 3;
const DEFAULT_RESULTS = 20;
/** Of a thread, at most; a model has room for fewer. */
const MOST_MESSAGES = 500;
/** OpenAI's default for its oldest models. */
const FEW_RESULTS = 5;

/** Subject: a run's id. */
export function createRunHandler(deps: RunDeps): JobHandler {
  return {
    kind: "run",
    // A run may wait for files to be indexed, which costs nothing.
    concurrency: 32,
    hasSparePlace: true,
    async run(job, signal): Promise<JobOutcome> {
      const row = await deps.storage.runs.get(job.tenant_id, job.subject);
      if (row === null || hasEnded(row) || row.status === "requires_action") return { type: "done" };
      return await new OneRun(deps, row, signal).work(job.attempt);
    },
  };
}

type Found = KeptRunTool | null;
interface KeptRunTool {
  max_num_results?: number;
  ranking_options: KeptRankingOptions;
}

class OneRun {
  readonly #deps: RunDeps;
  readonly #row: RunRow;
  readonly #signal: AbortSignal;
  readonly #warnings: string[] = [];

  constructor(deps: RunDeps, row: RunRow, signal: AbortSignal) {
    this.#deps = deps;
    this.#row = row;
    this.#signal = signal;
  }

  async work(attempt: number): Promise<JobOutcome> {
    const { storage } = this.#deps;
    if (this.#row.status === "cancelling") return await this.#end({ status: "cancelled" });
    if (await this.#expire()) return { type: "done" };
    if (attempt > MOST_ATTEMPTS) {
      const message = "The server was stopped while it worked on the run.";
      return await this.#fail({ code: "server_error", message });
    }
    await storage.transaction(async ({ runs, steps, messages }) => {
      await runs.start(this.#row, this.#now());
      // A message that the process was stopped in the middle of is written anew.
      await messages.dropOpen(this.#row.id);
      if (this.#isForModel) await steps.dropOpen(this.#row.seq);
    });
    this.#changed();
    try {
      const left = Math.max(0, this.#row.expires_at * 1000 - this.#deps.clock.nowMs());
      const timeout = AbortSignal.timeout(Math.min(left, LONGEST_TIMER_MS));
      const signal = AbortSignal.any([this.#signal, timeout]);
      return this.#isForModel ? await this.#answerByModel(signal) : await this.#answer(signal);
    } catch (error) {
      return await this.#broken(error);
    }
  }

  get #isForModel(): boolean {
    return this.#row.request.answers !== undefined;
  }

  /** What the work threw: an end that somebody asked for, a stop of the server, or a failure. */
  async #broken(error: unknown): Promise<JobOutcome> {
    const row = await this.#deps.storage.runs.get(this.#row.tenant_id, this.#row.id);
    if (row === null || hasEnded(row)) return { type: "done" };
    if (row.status === "cancelling") return await this.#end({ status: "cancelled" });
    if (await this.#expire()) return { type: "done" };
    if (this.#signal.aborted) return { type: "interrupted" };
    // What a chat model's server did wrong is no error of the job, and trying again would ask it twice.
    if (!(error instanceof AppError)) {
      if (!this.#isForModel) throw error;
      this.#deps.log.error("a run failed", { error: messageOf(error) });
    }
    return await this.#fail(runFailure(error));
  }

  async #answer(signal: AbortSignal): Promise<JobOutcome> {
    const question = await this.#question();
    const stores = await this.#stores(signal);
    const isSearched = stores.length > 0 && queriesOf(question.text, question.previous).length > 0;
    const step = isSearched ? await this.#openStep() : null;
    const lead = this.#deps.hasModels() ? { lead: QUOTED_LEAD } : {};
    const answer = await this.#deps.answering.answer({ ...this.#request(question, stores), ...lead }, signal);
    signal.throwIfAborted();
    const hasKept = await this.#keep(answer, step);
    return hasKept ? { type: "done" } : await this.#broken(null);
  }

  /** What it does is written down while it does it; the end, or the calls that somebody else has to make, at once. */
  async #answerByModel(signal: AbortSignal): Promise<JobOutcome> {
    const { storage, responding, changes } = this.#deps;
    const { tenant_id: tenantId, id, seq, request } = this.#row;
    const question = await this.#question();
    const hasSearch = this.#tool() !== null;
    const stores = hasSearch ? await this.#stores(signal) : [];
    const steps = await storage.steps.ofRun(tenantId, seq);
    const messages = await storage.messages.ofRun(tenantId, id);
    const history = historyOfRun(await this.#thread(), { steps, messages });
    const wish = wishOfRun(request, request.answers ?? "", stores.length > 0);
    const results = history.flatMap((item) => (item.type === "file_search_call" ? (item.results ?? []) : []));
    const scribe = new RunScribe({ storage, now: () => this.#now(), changed: () => changes.notify(id) }, this.#row, {
      ranking: this.#ranking(),
      isPlain: wish.format.type === "text",
      results,
    });
    try {
      const asked = { ...this.#request(question, stores), chat: { wish, history } };
      const { outcome, output } = await responding.respond(
        await responding.prepare(asked, signal),
        scribe.writer,
        signal,
      );
      await scribe.settled();
      signal.throwIfAborted();
      const before = steps.flatMap((one) => (callsIn(one) > 0 ? [one.usage ?? NOTHING_USED] : []));
      const usage = [...before, outcome.usage ?? NOTHING_USED].reduce(added);
      const calls = callsOf(output);
      if (calls.length > 0) return await this.#require(calls, { scribe, usage: outcome.usage ?? NOTHING_USED });
      const end = {
        status: outcome.reason === null ? ("completed" as const) : ("incomplete" as const),
        outcome: {
          usage,
          reason: outcome.reason === null ? null : ("max_completion_tokens" as const),
          model: outcome.model,
          rounds: (outcome.rounds ?? 0) + before.length,
          warnings: [...this.#warnings, ...outcome.warnings],
        },
      };
      return await this.#end(end, scribe, outcome.usage ?? NOTHING_USED);
    } catch (error) {
      // What there was of it stays, where the run has not ended already.
      await scribe.settled().catch(() => {});
      throw error;
    }
  }

  /** The client has functions to call. */
  async #require(
    calls: readonly KeptCall[],
    { scribe, usage }: { scribe: RunScribe; usage: KeptTokens },
  ): Promise<JobOutcome> {
    const hasKept = await this.#deps.storage.transaction(async (tables, tx) => {
      if (!(await tables.runs.requireAction(this.#row, calls))) return false;
      await scribe.finish(tables, NOTHING_USED);
      const details = { type: "tool_calls" as const, tool_calls: [...calls] };
      await insertStep(tables, this.#row, { at: this.#now(), status: "in_progress", details, usage });
      tx.onCommit(() => this.#changed());
      return true;
    });
    return hasKept ? { type: "done" } : await this.#broken(null);
  }

  /** The newest messages of the thread that were there before the run wrote any, oldest first. */
  async #thread(): Promise<MessageRow[]> {
    const { tenant_id: tenantId, thread, id, request } = this.#row;
    const most = request.truncation_strategy.last_messages ?? MOST_MESSAGES;
    const found: MessageRow[] = [];
    for (let after: number | undefined; found.length < most;) {
      const page = { limit: 100, order: "desc" as const, after };
      const { rows, hasMore } = await this.#deps.storage.messages.list(tenantId, { thread, runId: null }, page);
      found.push(...rows.filter((row) => row.run_id !== id));
      after = rows.at(-1)?.seq;
      if (!hasMore) break;
    }
    return found.slice(0, most).reverse();
  }

  /** Those that are searched: the assistant's, or the run's in their place, and the thread's. */
  async #stores(signal: AbortSignal): Promise<string[]> {
    const thread = await threadStoreOf(this.#deps, this.#row, signal);
    this.#warnings.push(...thread.warnings);
    return [...new Set([...this.#row.request.stores, ...(thread.storeId === null ? [] : [thread.storeId])])];
  }

  /** The last message of the user, also where an assistant's came after it. */
  async #question(): Promise<Question> {
    const { messages } = this.#deps.storage;
    const { tenant_id: tenantId, thread, request } = this.#row;
    const last = await messages.lastOfUser(tenantId, thread, Number.MAX_SAFE_INTEGER);
    if (last === null) return { text: "", previous: null };
    const before = await messages.lastOfUser(tenantId, thread, last.seq);
    const { last_messages: most } = request.truncation_strategy;
    const isLeftOut = before !== null && most !== null && (await messages.countAfter(thread, before.seq)) >= most;
    return { text: textOf(last), previous: before === null || isLeftOut ? null : textOf(before) };
  }

  #tool(): Found {
    const tool = this.#row.request.tools.find(({ type }) => type === "file_search");
    return tool === undefined ? null : (tool["file_search"] as KeptRunTool);
  }

  #request(question: Question, stores: string[]): AnswerRequest {
    const { request, tenant_id: tenantId, key_id: keyId, id } = this.#row;
    const { max_num_results: most, ranking_options: ranking } = this.#tool() ?? {};
    const tool: FileSearchTool = {
      type: "file_search",
      vector_store_ids: stores,
      max_num_results: most ?? (request.model.startsWith("gpt-3.5") ? FEW_RESULTS : DEFAULT_RESULTS),
      ...(ranking === undefined ? {} : { ranking_options: ranking as FileSearchTool["ranking_options"] }),
    };
    return {
      tenantId,
      keyId,
      responseId: id,
      source: "run",
      question,
      tools: stores.length === 0 ? [] : [{ tool, param: "tools[0].file_search" }],
      maxOutputTokens: request.max_completion_tokens,
    };
  }

  #ranking(): KeptRankingOptions {
    return this.#tool()?.ranking_options ?? { ranker: "auto", score_threshold: 0 };
  }

  /** The step that searches; after a stop the one that was begun before. */
  async #openStep(): Promise<StepRow> {
    const { storage } = this.#deps;
    const { tenant_id: tenantId, seq: run } = this.#row;
    const ranking = this.#ranking();
    const open = (await storage.steps.ofRun(tenantId, run)).find(({ status }) => status === "in_progress");
    if (open !== undefined) return open;
    const details = { type: "tool_calls" as const, tool_calls: [searchOfRun(newId("call_"), ranking)] };
    const step = await storage.transaction((tables) =>
      insertStep(tables, this.#row, { at: this.#now(), status: "in_progress", details, usage: null }),
    );
    this.#changed();
    return step;
  }

  /** False where the run is in progress no more. */
  async #keep(answer: Answer, step: StepRow | null): Promise<boolean> {
    const at = this.#now();
    const status = answer.isCut ? "incomplete" : "completed";
    const hasEnded = await this.#deps.storage.transaction(async (tables, tx) => {
      const now = await tables.runs.get(this.#row.tenant_id, this.#row.id);
      if (now?.status !== "in_progress") return false;
      if (step !== null) await completeSearch(tables, { step, answer, at });
      await addMessage(tables, { run: now, answer, at });
      const { tokens: usage, warnings } = answer;
      const outcome = {
        usage,
        reason: answer.isCut ? ("max_completion_tokens" as const) : null,
        warnings: [...this.#warnings, ...warnings],
      };
      tx.onCommit(() => this.#changed());
      return await endRun(tables, now, { status, at, outcome });
    });
    if (hasEnded) this.#deps.onEnd(status, EXTRACTIVE_MODEL);
    return hasEnded;
  }

  async #fail(error: KeptRunError): Promise<JobOutcome> {
    return await this.#end({ status: "failed", outcome: { error, warnings: this.#warnings } });
  }

  /** `scribe`: has the message with which it ends; one that was cut off stays as incomplete. */
  async #end(end: Omit<RunEnd, "at">, scribe?: RunScribe, usage = NOTHING_USED): Promise<JobOutcome> {
    const hasEnded = await this.#deps.storage.transaction(async (tables, tx) => {
      tx.onCommit(() => this.#changed());
      if (end.status === "completed") {
        const now = await tables.runs.get(this.#row.tenant_id, this.#row.id);
        if (now?.status !== "in_progress") return false;
        await scribe?.finish(tables, usage);
      }
      return await endRun(tables, this.#row, { ...end, at: this.#now() });
    });
    if (end.status === "completed" && !hasEnded) return await this.#broken(null);
    if (hasEnded) this.#deps.onEnd(end.status, end.outcome?.model ?? answererOf(this.#row));
    return { type: "done" };
  }

  async #expire(): Promise<boolean> {
    const isExpired = await this.#deps.storage.transaction(async (tables, tx) => {
      tx.onCommit(() => this.#changed());
      return await expireRun(tables, this.#row, this.#now());
    });
    if (isExpired) this.#deps.onEnd("expired", answererOf(this.#row));
    return isExpired;
  }

  #changed(): void {
    this.#deps.changes.notify(this.#row.id);
  }

  #now(): number {
    return this.#deps.clock.nowSeconds();
  }
}

function added(a: KeptTokens, b: KeptTokens): KeptTokens {
  return {
    input: a.input + b.input,
    output: a.output + b.output,
    cached: (a.cached ?? 0) + (b.cached ?? 0),
    reasoning: (a.reasoning ?? 0) + (b.reasoning ?? 0),
  };
}

function callsIn({ details }: StepRow): number {
  return details.type === "tool_calls" ? details.tool_calls.filter(({ type }) => type === "function").length : 0;
}

/** Longer ones are none of the language's. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

async function completeSearch(
  { steps }: Tables,
  { step, answer, at }: { step: StepRow; answer: Answer; at: number },
): Promise<void> {
  if (step.details.type !== "tool_calls") return;
  const calls = step.details.tool_calls.map((call) =>
    call.type === "file_search" ? searchOfRun(call.id, call.ranking_options, answer) : call,
  );
  const usage = { input: answer.tokens.input, output: 0 };
  await steps.complete(step, { details: { ...step.details, tool_calls: calls }, usage, at });
}

/** The message, and the step that made it. */
async function addMessage(
  tables: Tables,
  { run, answer, at }: { run: RunRow; answer: Answer; at: number },
): Promise<void> {
  const message = await insertMessage(tables, run, {
    at,
    status: answer.isCut ? "incomplete" : "completed",
    completed_at: answer.isCut ? null : at,
    incomplete_at: answer.isCut ? at : null,
    reason: answer.isCut ? "max_tokens" : null,
    content: messageOfRun(answer),
  });
  if (message === null) return;
  const details = { type: "message_creation" as const, message_id: message.id };
  await insertStep(tables, run, {
    at,
    status: "completed",
    details,
    usage: { input: 0, output: answer.tokens.output },
  });
}

function textOf({ content }: MessageRow): string {
  return content
    .flatMap((part) => (part.type === "text" ? [part.text] : []))
    .join("\n")
    .trim();
}
