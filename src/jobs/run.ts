import { PromptTooLong } from "../answers/chat-plan.ts";
import type { Responding, RespondRequest } from "../answers/responding.ts";
import { answererOf, runFailure } from "../answers/run-outcome.ts";
import { foundByRun, historyOfRun, wishOfRun } from "../answers/run-request.ts";
import type { FileSearchTool } from "../answers/search-tool.ts";
import { AppError, messageOf } from "../errors.ts";
import type { Changes } from "../platform/changes.ts";
import type { Clock } from "../platform/clock.ts";
import type { Log } from "../platform/log.ts";
import type { KeptResult } from "../storage/response-items.ts";
import { endRun, expireRun, type RunEnd } from "../storage/run-end.ts";
import type { StepRow } from "../storage/run-steps.ts";
import type { KeptOutcome } from "../storage/responses.ts";
import { hasEnded, type KeptRunError, type KeptRunOutcome, type RunRow } from "../storage/runs.ts";
import type { Storage } from "../storage/storage.ts";
import type { KeptCall, KeptTokens } from "../storage/thread-items.ts";
import { fileSearchOf, questionOfRun, rankingOf, threadOfRun } from "./run-question.ts";
import { insertStep, NOTHING_USED } from "./run-rows.ts";
import { callsOf, RunScribe } from "./run-scribe.ts";
import type { JobHandler, JobOutcome } from "./runner.ts";
import { threadStoreOf } from "./thread-store.ts";

/**
 * Works on a run of a thread. What it does is written down while it does it, and only while the run is in progress; its
 * last message is completed in one transaction with its end. So one that was cut off goes on from what is complete, and
 * nothing is answered twice.
 */
export interface RunDeps {
  storage: Pick<Storage, "runs" | "steps" | "messages" | "threads" | "stores" | "storeFiles" | "transaction">;
  clock: Clock;
  log: Pick<Log, "error">;
  responding: Responding;
  changes: Changes;
  /** `model`: what answered. */
  onEnd: (status: RunRow["status"], model: string) => void;
}

/** A process that was killed while it worked begins anew so often. */
const MOST_ATTEMPTS = 3;
const DEFAULT_RESULTS = 20;
/** OpenAI's default for its oldest models. */
const FEW_RESULTS = 5;
/** Longer ones are none of the language's. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

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
      // What the process was stopped in the middle of is done anew.
      await messages.dropOpen(this.#row.id);
      await steps.dropOpen(this.#row.seq);
    });
    this.#changed();
    try {
      const left = Math.max(0, this.#row.expires_at * 1000 - this.#deps.clock.nowMs());
      const timeout = AbortSignal.timeout(Math.min(left, LONGEST_TIMER_MS));
      const signal = AbortSignal.any([this.#signal, timeout]);
      return await this.#answer(signal);
    } catch (error) {
      return await this.#broken(error);
    }
  }

  /** What the work threw: an end that somebody asked for, a stop of the server, or a failure. */
  async #broken(error: unknown): Promise<JobOutcome> {
    const row = await this.#deps.storage.runs.get(this.#row.tenant_id, this.#row.id);
    if (row === null || hasEnded(row)) return { type: "done" };
    if (row.status === "cancelling") return await this.#end({ status: "cancelled" });
    if (await this.#expire()) return { type: "done" };
    if (this.#signal.aborted) return { type: "interrupted" };
    // No error of the job: trying again would do twice what those who follow the run saw.
    if (!(error instanceof AppError)) this.#deps.log.error("a run failed", { error: messageOf(error) });
    return await this.#fail(runFailure(error));
  }

  /** To the end, or to calls that somebody else has to make. */
  async #answer(signal: AbortSignal): Promise<JobOutcome> {
    const { storage, responding, changes } = this.#deps;
    const { tenant_id: tenantId, id, seq, request } = this.#row;
    const stores = fileSearchOf(request) === null ? [] : await this.#stores(signal);
    const done = {
      steps: await storage.steps.ofRun(tenantId, seq),
      messages: await storage.messages.ofRun(tenantId, id),
    };
    const before = done.steps.filter(hasCalls).map(({ usage }) => usage ?? NOTHING_USED);
    const spent = before.reduce(added, NOTHING_USED);
    const asked = await this.#request(stores, { done, spent });
    const scribe = new RunScribe({ storage, now: () => this.#now(), changed: () => changes.notify(id) }, this.#row, {
      ranking: rankingOf(request),
      isPlain: asked.chat === null || asked.chat.wish.format.type === "text",
      results: resultsOf(done.steps),
    });
    try {
      const prepared = await responding.prepare(asked, signal);
      const { outcome, output } = await responding.respond(prepared, scribe.writer, signal);
      await scribe.settled();
      signal.throwIfAborted();
      const usage = outcome.usage ?? NOTHING_USED;
      const calls = callsOf(output);
      if (calls.length > 0) return await this.#require(calls, { scribe, usage });
      const status = outcome.reason === null ? ("completed" as const) : ("incomplete" as const);
      const kept = {
        usage: added(spent, usage),
        reason: reasonOf(outcome.reason),
        model: outcome.model,
        rounds: (outcome.rounds ?? 0) + before.length,
        warnings: [...this.#warnings, ...outcome.warnings],
      };
      return await this.#end({ status, outcome: kept }, scribe, usage);
    } catch (error) {
      // What there was of it stays, where the run has not ended already.
      await scribe.settled().catch(() => {});
      if (!(error instanceof PromptTooLong)) throw error;
      const cut = { usage: spent, reason: "max_prompt_tokens" as const, rounds: before.length };
      return await this.#end({ status: "incomplete", outcome: { ...cut, warnings: this.#warnings } }, scribe);
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

  /** Those that are searched: the assistant's, or the run's in their place, and the thread's. */
  async #stores(signal: AbortSignal): Promise<string[]> {
    const thread = await threadStoreOf(this.#deps, this.#row, signal);
    this.#warnings.push(...thread.warnings);
    return [...new Set([...this.#row.request.stores, ...(thread.storeId === null ? [] : [thread.storeId])])];
  }

  async #request(
    stores: string[],
    { done, spent }: { done: Parameters<typeof historyOfRun>[1]; spent: KeptTokens },
  ): Promise<RespondRequest> {
    const { messages } = this.#deps.storage;
    const { request, tenant_id: tenantId, key_id: keyId, id } = this.#row;
    const { max_num_results: most, ranking_options: ranking } = fileSearchOf(request) ?? {};
    const tool: FileSearchTool = {
      type: "file_search",
      vector_store_ids: stores,
      max_num_results: most ?? (request.model.startsWith("gpt-3.5") ? FEW_RESULTS : DEFAULT_RESULTS),
      ...(ranking === undefined ? {} : { ranking_options: ranking as FileSearchTool["ranking_options"] }),
    };
    const asked = {
      tenantId,
      keyId,
      responseId: id,
      source: "run" as const,
      question: await questionOfRun(messages, this.#row),
      tools: stores.length === 0 ? [] : [{ tool, param: "tools[0].file_search" }],
      maxOutputTokens: request.max_completion_tokens,
    };
    if (request.answers === undefined) return { ...asked, ...foundByRun(done.steps), chat: null };
    const history = historyOfRun(await threadOfRun(messages, this.#row), done);
    const wish = wishOfRun(request, request.answers, { hasSearch: stores.length > 0, spent });
    return { ...asked, chat: { wish, history } };
  }

  async #fail(error: KeptRunError): Promise<JobOutcome> {
    return await this.#end({ status: "failed", outcome: { error, warnings: this.#warnings } });
  }

  /** `scribe`: has the message with which it ends; one that was cut off stays as incomplete. */
  async #end(end: Omit<RunEnd, "at">, scribe?: RunScribe, usage = NOTHING_USED): Promise<JobOutcome> {
    const hasEnded = await this.#deps.storage.transaction(async (tables, tx) => {
      tx.onCommit(() => this.#changed());
      if (scribe !== undefined) {
        const now = await tables.runs.locked(this.#row);
        if (now?.status !== "in_progress") return false;
        await scribe.finish(tables, usage, end.status);
      }
      return await endRun(tables, this.#row, { ...end, at: this.#now() });
    });
    if (scribe !== undefined && !hasEnded) return await this.#broken(null);
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

/** There is no word for a filter. */
function reasonOf(reason: KeptOutcome["reason"]): KeptRunOutcome["reason"] {
  return reason === null || reason === "max_prompt_tokens" ? reason : "max_completion_tokens";
}

/** The client was asked to call functions. */
function hasCalls({ details }: StepRow): boolean {
  return details.type === "tool_calls" && details.tool_calls.some(({ type }) => type === "function");
}

function resultsOf(steps: readonly StepRow[]): KeptResult[] {
  return steps.flatMap(({ details }) =>
    details.type === "tool_calls"
      ? details.tool_calls.flatMap((call) => (call.type === "file_search" ? call.results : []))
      : [],
  );
}
