import { AppError } from "../../../errors.ts";
import { mayUseStore, type Caller } from "../../../http/caller.ts";
import type { Cursors } from "../../../http/cursors.ts";
import type { Cursor } from "../../../http/openai.ts";
import { pageQuery } from "../../../http/page-query.ts";
import { newId } from "../../../platform/ids.ts";
import type { RerankDeps } from "../../../search/rerank.ts";
import { storeNotFound } from "../../../search/store-state.ts";
import { endRun } from "../../../storage/run-end.ts";
import type { StepRow } from "../../../storage/run-steps.ts";
import type { KeptRunRequest, RunRow } from "../../../storage/runs.ts";
import type { Storage } from "../../../storage/storage.ts";
import type { ThreadRow } from "../../../storage/threads.ts";
import { type Asker, assertOwn, notFound } from "../access.ts";
import { mergedResources, planResources, type ResourceDeps } from "../resources.ts";
import { knownAssistant } from "../service.ts";
import { type InboxDeps, planMessages } from "../messages/inbox.ts";
import { type GivenMessage, givenMessage } from "../messages/input.ts";
import { presenterFor } from "../../presenters/choose.ts";
import { knownThread } from "../threads/known.ts";
import type { ThreadsService } from "../threads/service.ts";
import type { Within } from "../../attaching/attach.ts";
import type { Progress } from "./events.ts";
import { assertFree, type ExpiryDeps, settled } from "./lock.ts";
import { withOutputs } from "./outputs.ts";
import { keptRequest, type RunBody, type RunRules } from "./request.ts";
import type { CreateRunBody, CreateThreadAndRunBody, SubmitToolOutputsBody } from "./schema.ts";

export interface RunsDeps extends ResourceDeps, InboxDeps, ExpiryDeps {
  storage: Pick<Storage, "stores" | "files" | "assistants" | "threads" | "messages" | "runs" | "steps" | "transaction">;
  stores: ResourceDeps["stores"];
  threads: Pick<ThreadsService, "plan">;
  rankers: RerankDeps["rankers"];
  cursors: Cursors;
  wakeJobs: () => void;
  chatModel: RunRules["chatModel"];
  settings: () => { runSeconds: number };
}

/** A run by its address. */
export interface RunPlace {
  threadId: string;
  runId: string;
}

/** Runs of threads: each is a job, whether somebody follows it or not. */
export interface RunsService {
  create(asker: Asker, threadId: string, body: CreateRunBody): Promise<RunRow>;
  createWithThread(asker: Asker, body: CreateThreadAndRunBody): Promise<{ thread: ThreadRow; run: RunRow }>;
  list(asker: Asker, threadId: string, cursor: Cursor): Promise<{ rows: RunRow[]; hasMore: boolean }>;
  get(caller: Caller, place: RunPlace): Promise<RunRow>;
  /** With everything that it has done. */
  progress(caller: Caller, place: RunPlace): Promise<Progress>;
  modify(asker: Asker, place: RunPlace, metadata: Record<string, string> | null | undefined): Promise<RunRow>;
  cancel(asker: Asker, place: RunPlace): Promise<RunRow>;
  submit(asker: Asker, place: RunPlace, outputs: SubmitToolOutputsBody["tool_outputs"]): Promise<RunRow>;
  steps(asker: Asker, place: RunPlace, cursor: Cursor): Promise<{ run: RunRow; rows: StepRow[]; hasMore: boolean }>;
  step(asker: Asker, place: RunPlace, id: string): Promise<{ run: RunRow; row: StepRow }>;
}

/** Runs that wait at most, of all tenants together. */
const MOST_QUEUED = 100;

export function runsService(deps: RunsDeps): RunsService {
  return new Runs(deps);
}

class Runs implements RunsService {
  readonly #deps: RunsDeps;

  constructor(deps: RunsDeps) {
    this.#deps = deps;
  }

  async create(asker: Asker, threadId: string, body: CreateRunBody): Promise<RunRow> {
    const { storage } = this.#deps;
    const thread = await knownThread(storage, asker.caller, threadId);
    const given = (body.additional_messages ?? []).map((message, i) =>
      givenMessage(message, `additional_messages[${i}]`),
    );
    const insert = await this.#plan(asker, body, { images: imagesOf(given) });
    const put = await planMessages(this.#deps, asker, { messages: given, thread });
    return await storage.transaction(async (tables, tx) => {
      const at = { tables, tx };
      const now = await knownThread(tables, asker.caller, threadId);
      await assertFree(this.#deps, at, {
        thread: now,
        refusal: (run) => `Thread ${now.id} already has an active run ${run.id}.`,
      });
      if (given.length > 0) await put(at, now);
      return await insert(at, (await tables.threads.get(now.tenant_id, now.id)) ?? now);
    });
  }

  async createWithThread(asker: Asker, body: CreateThreadAndRunBody): Promise<{ thread: ThreadRow; run: RunRow }> {
    const { storage, threads } = this.#deps;
    const insert = await this.#plan(asker, body, { resources: body.tool_resources ?? null });
    const make = await threads.plan(asker, body.thread ?? {}, "thread");
    return await storage.transaction(async (tables, tx) => {
      const at = { tables, tx };
      const thread = await make(at);
      return { thread, run: await insert(at, thread) };
    });
  }

  async list({ caller }: Asker, threadId: string, cursor: Cursor): Promise<{ rows: RunRow[]; hasMore: boolean }> {
    const { storage, cursors } = this.#deps;
    const { tenantId } = caller;
    const thread = await knownThread(storage, caller, threadId);
    const active = await storage.runs.active(thread.seq);
    if (active !== null) await settled(this.#deps, storage, active);
    const find = async (id: string) => {
      const run = await storage.runs.get(tenantId, id);
      return run?.thread === thread.seq ? run.seq : cursors.find(`${tenantId} ${thread.id}`, id);
    };
    const page = await pageQuery(cursor, find, "run");
    const listed = await storage.runs.list(tenantId, thread.seq, page);
    cursors.remember(`${tenantId} ${thread.id}`, listed.rows);
    return listed;
  }

  async get(caller: Caller, { threadId, runId }: RunPlace): Promise<RunRow> {
    const { storage } = this.#deps;
    const thread = await knownThread(storage, caller, threadId);
    const run = await storage.runs.get(caller.tenantId, runId);
    if (run === null || run.thread !== thread.seq) throw notFound("run_not_found", runId);
    return await settled(this.#deps, storage, run);
  }

  async progress(caller: Caller, place: RunPlace): Promise<Progress> {
    await this.get(caller, place);
    // As one: steps of a later moment than the run's would be events in another order.
    return await this.#deps.storage.transaction(async ({ runs, steps, messages }) => {
      const run = await runs.get(caller.tenantId, place.runId);
      if (run === null) throw notFound("run_not_found", place.runId);
      const { tenant_id: tenantId } = run;
      return { run, steps: await steps.ofRun(tenantId, run.seq), messages: await messages.ofRun(tenantId, run.id) };
    }, "work");
  }

  async modify(asker: Asker, place: RunPlace, metadata: Record<string, string> | null | undefined): Promise<RunRow> {
    const run = await this.get(asker.caller, place);
    assertOwn(asker.caller, run);
    if (metadata === undefined) return run;
    await this.#deps.storage.runs.setMetadata(run.tenant_id, run.id, metadata ?? {});
    return { ...run, metadata: metadata ?? {} };
  }

  async cancel(asker: Asker, place: RunPlace): Promise<RunRow> {
    const { storage, clock, interrupt, notify, onEnd } = this.#deps;
    const run = await this.get(asker.caller, place);
    assertOwn(asker.caller, run);
    await storage.transaction(async (tables, tx) => {
      const at = clock.nowSeconds();
      const isCancelled = await endRun(tables, run, { status: "cancelled", at }, ["queued", "requires_action"]);
      if (!isCancelled && !(await tables.runs.cancel(run, at))) {
        const { status } = (await tables.runs.get(run.tenant_id, run.id)) ?? run;
        throw new AppError("run_not_cancellable", `Cannot cancel run with status '${status}'.`);
      }
      tx.onCommit(() => {
        interrupt(run.id);
        notify(run.id);
        if (isCancelled) onEnd("cancelled", run);
      });
    });
    return await this.get(asker.caller, place);
  }

  async submit(asker: Asker, place: RunPlace, outputs: SubmitToolOutputsBody["tool_outputs"]): Promise<RunRow> {
    const { storage, clock } = this.#deps;
    const run = await this.get(asker.caller, place);
    assertOwn(asker.caller, run);
    await storage.transaction(async (tables, tx) => {
      const now = (await tables.runs.get(run.tenant_id, run.id)) ?? run;
      if (!(await tables.runs.resume(now)))
        throw new AppError("tool_outputs_refused", `Runs in status "${now.status}" do not accept tool outputs.`);
      const open = (await tables.steps.ofRun(now.tenant_id, now.seq)).find(({ status }) => status === "in_progress");
      const details = withOutputs(now.required_action ?? [], outputs);
      const usage = open?.usage ?? { input: 0, output: 0 };
      if (open !== undefined) await tables.steps.complete(open, { details, usage, at: clock.nowSeconds() });
      await this.#schedule({ tables, tx }, now);
    });
    return await this.get(asker.caller, place);
  }

  async steps({ caller }: Asker, place: RunPlace, cursor: Cursor) {
    const { storage, cursors } = this.#deps;
    const run = await this.get(caller, place);
    const owner = `${run.tenant_id} ${run.id}`;
    const find = async (id: string) =>
      (await storage.steps.get(run.tenant_id, run.seq, id))?.seq ?? cursors.find(owner, id);
    const page = await pageQuery(cursor, find, "run step");
    const { rows, hasMore } = await storage.steps.list(run.tenant_id, run.seq, page);
    cursors.remember(owner, rows);
    return { run, rows, hasMore };
  }

  async step({ caller }: Asker, place: RunPlace, id: string): Promise<{ run: RunRow; row: StepRow }> {
    const run = await this.get(caller, place);
    const row = await this.#deps.storage.steps.get(run.tenant_id, run.seq, id);
    if (row === null) throw notFound("run_step_not_found", id);
    return { run, row };
  }

  /** Throws what can be told before; what it gives makes the run, as part of the caller's transaction. */
  async #plan(
    asker: Asker,
    body: RunBody,
    { resources = null, images = [] }: { resources?: CreateThreadAndRunBody["tool_resources"]; images?: string[] },
  ): Promise<(at: Within, thread: ThreadRow) => Promise<RunRow>> {
    const { storage, rankers, chatModel } = this.#deps;
    const { caller, dialect } = asker;
    const assistant = await knownAssistant(storage, caller, body.assistant_id);
    const own = await planResources(this.#deps, asker, resources ?? {}, { param: "tool_resources", expiresDays: null });
    const rules = { rules: presenterFor(dialect).rules, rankers, chatModel };
    const request = (kept: KeptRunRequest["tool_resources"]) => keptRequest(body, assistant, { ...rules, own: kept });
    // Before anything is made: what it is refused for does not depend on the stores.
    request({});
    if ((await storage.runs.queued()) >= MOST_QUEUED)
      throw new AppError("overloaded", "Too many runs are waiting. Try again later.", { retryAfterSeconds: 2 });
    return async (at, thread) => {
      const kept = request(mergedResources({}, await own(at)));
      const { stores } = kept;
      for (const id of [...stores, ...(thread.tool_resources.file_search?.vector_store_ids ?? [])])
        if (!mayUseStore(caller, id)) throw storeNotFound(id);
      const asked = { ...kept, ignored: [...kept.ignored, ...(kept.answers === undefined ? images : [])] };
      return await this.#insert(at, { asker, thread, request: asked, assistantId: assistant.id, body });
    };
  }

  async #insert(
    at: Within,
    {
      asker: { caller },
      thread,
      request,
      assistantId,
      body,
    }: { asker: Asker; thread: ThreadRow; request: KeptRunRequest; assistantId: string; body: RunBody },
  ): Promise<RunRow> {
    const { clock, settings } = this.#deps;
    const now = clock.nowSeconds();
    await at.tables.threads.use(thread, 0, now);
    const run = await at.tables.runs.insert({
      id: newId("run_"),
      tenant_id: caller.tenantId,
      key_id: caller.keyId,
      thread: thread.seq,
      thread_id: thread.id,
      assistant_id: assistantId,
      status: "queued",
      created_at: now,
      started_at: null,
      expires_at: now + settings().runSeconds,
      cancelling_at: null,
      ended_at: null,
      metadata: body.metadata ?? {},
      request,
      required_action: null,
      outcome: null,
    });
    await this.#schedule(at, run);
    return run;
  }

  async #schedule({ tables, tx }: Within, run: RunRow): Promise<void> {
    const { clock, wakeJobs, notify } = this.#deps;
    const job = { tenantId: run.tenant_id, kind: "run", storeId: null, subject: run.id, priority: 0 } as const;
    await tables.jobs.insert({ ...job, dueMs: clock.nowMs() });
    tx.onCommit(() => {
      wakeJobs();
      notify(run.id);
    });
  }
}

/** Pictures are without effect where no language model sees them. */
function imagesOf(messages: readonly GivenMessage[]): string[] {
  return messages.flatMap(({ content }, i) =>
    content.flatMap(({ type }, j) => (type === "text" ? [] : [`additional_messages[${i}].content[${j}]`])),
  );
}
