import type { Answering } from "../../answers/answering.ts";
import { answeredEnd, cancelledEnd, failedEnd, failureOf, type ItemIds } from "../../answers/outcome.ts";
import { EXTRACTIVE_MODEL } from "../../answers/limits.ts";
import { searchOf, under } from "../../answers/search-tool.ts";
import { AppError, messageOf } from "../../errors.ts";
import type { Caller } from "../../http/caller.ts";
import type { Dialect } from "../../http/dialect.ts";
import type { TextAnalysis, TextAsker } from "../../index/text-analysis.ts";
import type { Changes } from "../../platform/changes.ts";
import type { Clock } from "../../platform/clock.ts";
import { newId } from "../../platform/ids.ts";
import type { Log } from "../../platform/log.ts";
import { shown } from "../../platform/words.ts";
import { queriesOf } from "../../search/questions.ts";
import { chooseRanker, type RerankDeps } from "../../search/rerank.ts";
import type { KeptItem } from "../../storage/response-items.ts";
import type { KeptQuestion, ResponseEnd, ResponseRow } from "../../storage/responses.ts";
import type { Storage } from "../../storage/storage.ts";
import { assertStillThere, type Owner } from "../stored-files/space.ts";
import { presenterFor } from "../presenters/choose.ts";
import type { StoreAccess } from "../store-access.ts";
import { eventsOf, type ResponseEvent } from "./events.ts";
import { assertPaired, type ReadInput, readInput, textOf } from "./input.ts";
import { type Answered, hasEnded, type View } from "./present.ts";
import { assertAnswerable, type ReadRequest, readRequest, type RequestRules } from "./request.ts";

export interface ResponsesDeps {
  storage: Pick<Storage, "responses" | "transaction">;
  clock: Clock;
  log: Log;
  access: StoreAccess;
  rankers: RerankDeps["rankers"];
  answering: Answering;
  texts: Pick<TextAnalysis, "count">;
  changes: Changes;
  notify: (key: string) => void;
  wakeJobs: () => void;
  /** Stops the job that answers in the background. */
  interrupt: (responseId: string) => void;
  onEnd: (status: ResponseRow["status"]) => void;
  settings: () => RequestRules & { responseDays: number; strictModels: boolean };
}

export interface ResponseAsker {
  caller: Caller;
  dialect: Dialect;
}

/** An accepted request: nothing but the answer is missing. */
export interface Begun {
  row: Omit<ResponseRow, "seq">;
  input: readonly KeptItem[];
  question: KeptQuestion;
  searches: ReadRequest["searches"];
  ids: ItemIds;
  isStored: boolean;
  isStreamed: boolean;
  view: View;
}

/** Answers: asked for, kept, followed, cancelled and deleted. A key that is limited to stores knows only its own. */
export interface ResponsesService {
  /** Throws everything that a client is told before an answer begins. */
  begin(asker: ResponseAsker, sent: unknown): Promise<Begun>;
  /** Answers now. Nothing is kept of what fails, or of what nobody waits for any more. */
  answer(begun: Begun, signal: AbortSignal): Promise<Answered>;
  /** The same, event by event. A failure is an event, and kept. */
  stream(begun: Begun, signal: AbortSignal): AsyncGenerator<ResponseEvent>;
  /** Leaves it to a job. */
  queue(begun: Begun): Promise<Answered>;
  get(caller: Caller, id: string): Promise<Answered>;
  /** Events from this number on, until the answer ends or whoever follows may not see it any more. */
  follow(
    callerNow: () => Promise<Caller>,
    id: string,
    from: { next: number; view: View; signal: AbortSignal },
  ): AsyncGenerator<ResponseEvent>;
  remove(caller: Caller, id: string): Promise<void>;
  cancel(caller: Caller, id: string): Promise<Answered>;
  inputItems(caller: Caller, id: string): Promise<KeptItem[]>;
  inputTokens(sent: unknown, asker: TextAsker): Promise<number>;
}

/** Answers in the background that wait at most, of all tenants together. */
const MOST_QUEUED = 100;
/** Looked at this often even where nobody tells of a change. */
const LOOK_EVERY_MS = 5_000;

export function responsesService(deps: ResponsesDeps): ResponsesService {
  return new Service(deps);
}

class Service implements ResponsesService {
  readonly #deps: ResponsesDeps;

  constructor(deps: ResponsesDeps) {
    this.#deps = deps;
  }

  async begin(asker: ResponseAsker, sent: unknown): Promise<Begun> {
    const { settings, clock } = this.#deps;
    const { caller, dialect } = asker;
    const read = readRequest(sent, settings());
    const { body, echo, include, searches, ignored } = read;
    this.#checkModel(body.model ?? EXTRACTIVE_MODEL);
    assertAnswerable(read);
    const previous = await this.#previous(caller, body.previous_response_id ?? null);
    const input = await this.#input(caller, read, previous);
    await this.#checkStores(asker, searches);
    const isStored = echo.store && settings().responseDays > 0;
    const question = await this.#question(caller, input, previous);
    const isInBackground = body.background === true;
    if (isInBackground && !isStored)
      throw new AppError("invalid_value", "Invalid 'background': this server keeps no Responses.", {
        param: "background",
      });
    return {
      row: {
        id: newId("resp_"),
        tenant_id: caller.tenantId,
        key_id: caller.keyId,
        parent: previous?.seq ?? null,
        previous_id: previous?.id ?? null,
        status: isInBackground ? "queued" : "in_progress",
        background: isInBackground,
        created_at: clock.nowSeconds(),
        completed_at: null,
        request: { ignored: [...ignored, ...input.ignored], include, echo: { ...echo, store: isStored } },
        question: isInBackground ? question : null,
        outcome: null,
      },
      input: input.items,
      question,
      searches,
      ids: { search: newId("fs_"), message: newId("msg_") },
      isStored,
      isStreamed: body.stream === true,
      view: { dialect, include },
    };
  }

  async answer(begun: Begun, signal: AbortSignal): Promise<Answered> {
    const end = await this.#ended(begun, signal);
    return await this.#keep(begun, end, signal);
  }

  async *stream(begun: Begun, signal: AbortSignal): AsyncGenerator<ResponseEvent> {
    let sent = 0;
    for (const event of eventsOf(opened(begun), begun.view)) {
      sent += 1;
      yield event;
    }
    let end: ResponseEnd;
    try {
      end = await this.#ended(begun, signal);
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof AppError)) this.#deps.log.error("an answer failed", { error: messageOf(error) });
      const search = isSearched(begun) ? begun.ids.search : null;
      end = failedEnd(failureOf(error), this.#deps.clock.nowSeconds(), search);
    }
    const answered = await this.#keep(begun, end, signal).catch((error: unknown) => {
      if (!(error instanceof AppError)) throw error;
      return endedAs(begun.row, failedEnd(failureOf(error), this.#deps.clock.nowSeconds(), null));
    });
    yield* eventsOf(answered, begun.view).slice(sent);
  }

  async queue(begun: Begun): Promise<Answered> {
    const { storage, wakeJobs, clock } = this.#deps;
    const { row, input } = begun;
    if ((await storage.responses.queued()) >= MOST_QUEUED)
      throw new AppError("overloaded", "Too many answers are waiting. Try again later.", { retryAfterSeconds: 2 });
    await storage.transaction(async (tables) => {
      const { responses, jobs } = tables;
      await assertStillThere(tables, ownerOf(row), clock.nowSeconds());
      await responses.insert(row, { input, output: [] });
      const job = { tenantId: row.tenant_id, kind: "answer", storeId: null, subject: row.id, priority: 0 } as const;
      await jobs.insert({ ...job, dueMs: clock.nowMs() });
    });
    wakeJobs();
    return { row, output: [] };
  }

  async get(caller: Caller, id: string): Promise<Answered> {
    const row = await this.#find(caller, id);
    return { row, output: await this.#deps.storage.responses.items(row.tenant_id, row.seq, "output") };
  }

  async *follow(
    callerNow: () => Promise<Caller>,
    id: string,
    { next: first, view, signal }: { next: number; view: View; signal: AbortSignal },
  ): AsyncGenerator<ResponseEvent> {
    let next = first;
    while (!signal.aborted) {
      // Waited for from before the look: a change in between is not slept through.
      const looking = new AbortController();
      const changed = this.#deps.changes.wait(id, AbortSignal.any([signal, looking.signal]), LOOK_EVERY_MS);
      try {
        const answered = await callerNow()
          .then((caller) => this.get(caller, id))
          .catch(() => null);
        // Deleted meanwhile, or the key lost the right to it.
        if (answered === null) return;
        for (const event of eventsOf(answered, view).slice(next)) {
          next += 1;
          yield event;
        }
        if (hasEnded(answered)) return;
        await changed;
      } finally {
        looking.abort();
      }
    }
  }

  async remove(caller: Caller, id: string): Promise<void> {
    const { storage, interrupt, notify } = this.#deps;
    const row = await this.#find(caller, id);
    assertOwn(caller, row);
    await storage.transaction(async ({ responses, jobs }, tx) => {
      tx.erase();
      await jobs.drop(row.tenant_id, "answer", row.id);
      await responses.remove(row.tenant_id, row.id);
      tx.onCommit(() => {
        interrupt(row.id);
        notify(row.id);
      });
    });
  }

  async cancel(caller: Caller, id: string): Promise<Answered> {
    const { storage, interrupt, notify, clock, onEnd } = this.#deps;
    const row = await this.#find(caller, id);
    if (!row.background) throw new AppError("response_not_cancellable", "Cannot cancel a synchronous response.");
    assertOwn(caller, row);
    const isCancelled = await storage.transaction(async ({ responses, jobs }, tx) => {
      if (!(await responses.end(row.tenant_id, row.id, cancelledEnd(clock.nowSeconds())))) return false;
      await jobs.drop(row.tenant_id, "answer", row.id);
      tx.onCommit(() => {
        interrupt(row.id);
        notify(row.id);
      });
      return true;
    });
    if (isCancelled) onEnd("cancelled");
    return await this.get(caller, id);
  }

  async inputItems(caller: Caller, id: string): Promise<KeptItem[]> {
    const row = await this.#find(caller, id);
    return await this.#deps.storage.responses.items(row.tenant_id, row.seq, "input");
  }

  async inputTokens(sent: unknown, asker: TextAsker): Promise<number> {
    const { body } = readRequest(sent, this.#deps.settings());
    const tools = (body.tools ?? []).map((tool) => JSON.stringify(tool));
    const input = typeof body.input === "string" ? [body.input] : body.input.flatMap(textsIn);
    const counted = await this.#deps.texts.count([body.instructions ?? "", ...tools, ...input], asker);
    return counted.reduce((sum, count) => sum + count, 0);
  }

  /** Throws what `/search` would. */
  async #checkStores({ caller, dialect }: ResponseAsker, searches: ReadRequest["searches"]): Promise<void> {
    const { access, rankers } = this.#deps;
    const { rules } = presenterFor(dialect);
    const { openaiRankersOnly = false, typedOnly } = rules;
    for (const { tool, param } of searches) {
      const request = searchOf(tool, ["?"], { param, typedOnly });
      under(param, () => chooseRanker(tool.ranking_options ?? {}, request, { openaiRankersOnly, rankers }));
      for (const storeId of tool.vector_store_ids) await access.usable({ caller, storeId, rules });
    }
  }

  #checkModel(model: string): void {
    if (!this.#deps.settings().strictModels || model === EXTRACTIVE_MODEL) return;
    const text = `The model \`${shown(model)}\` does not exist or you do not have access to it.`;
    throw new AppError("model_not_found", text);
  }

  async #previous(caller: Caller, id: string | null): Promise<ResponseRow | null> {
    if (id === null) return null;
    const row = await this.#deps.storage.responses.get(caller.tenantId, id);
    if (row === null || !mayKnow(caller, row.key_id)) {
      const text = `Previous response with id '${shown(id)}' not found.`;
      throw new AppError("previous_response_not_found", text, { param: "previous_response_id" });
    }
    if (row.status === "queued" || row.status === "in_progress" || row.status === "failed") {
      const text = `Invalid 'previous_response_id': the Response '${row.id}' is ${row.status}.`;
      throw new AppError("invalid_value", text, { param: "previous_response_id" });
    }
    return row;
  }

  async #input(caller: Caller, { body }: ReadRequest, previous: ResponseRow | null): Promise<ReadInput> {
    const { responses } = this.#deps.storage;
    const input = await readInput(body.input, async (id) => {
      const found = await responses.item(caller.tenantId, id);
      return found !== null && mayKnow(caller, found.keyId) ? found.item : null;
    });
    const before = previous === null ? [] : await responses.calls(caller.tenantId, previous.seq);
    if (before.length + input.calls.length > 0) assertPaired([...before, ...input.calls]);
    return input;
  }

  async #question(caller: Caller, { asked }: ReadInput, previous: ResponseRow | null): Promise<KeptQuestion> {
    const lastBefore = async () => {
      if (previous === null) return null;
      const message = await this.#deps.storage.responses.lastUserMessage(caller.tenantId, previous.seq);
      return message === null ? null : textOf(message.content);
    };
    const [text, before] = [asked.at(-1), asked.at(-2)];
    // Only what a function gave is new: the question is the one before.
    if (text === undefined) return { text: (await lastBefore()) ?? "", previous: null };
    return { text, previous: before ?? (await lastBefore()) };
  }

  async #ended({ row, question, searches, ids }: Begun, signal: AbortSignal): Promise<ResponseEnd> {
    const { answering, clock } = this.#deps;
    const answer = await answering.answer(
      {
        tenantId: row.tenant_id,
        keyId: row.key_id,
        responseId: row.id,
        question,
        tools: searches,
        maxOutputTokens: row.request.echo["max_output_tokens"] as number | null,
      },
      signal,
    );
    return answeredEnd(answer, ids, clock.nowSeconds());
  }

  async #keep({ row, input, isStored }: Begun, end: ResponseEnd, signal: AbortSignal): Promise<Answered> {
    const { storage, clock, onEnd } = this.#deps;
    const answered = endedAs(row, end);
    if (signal.aborted) return answered;
    if (isStored)
      await storage.transaction(async (tables) => {
        // Answering takes a while: the tenant may have been deleted meanwhile, with all its answers.
        await assertStillThere(tables, ownerOf(row), clock.nowSeconds());
        await tables.responses.insert(answered.row, { input, output: end.output });
      });
    onEnd(end.status);
    return answered;
  }

  async #find(caller: Caller, id: string): Promise<ResponseRow> {
    const row = await this.#deps.storage.responses.get(caller.tenantId, id);
    if (row === null || !mayKnow(caller, row.key_id))
      throw new AppError("response_not_found", `Response with id '${shown(id)}' not found.`);
    return row;
  }
}

function endedAs<Row extends Answered["row"]>(row: Row, { status, at, outcome, output }: ResponseEnd) {
  return { row: { ...row, status, completed_at: status === "completed" ? at : null, outcome }, output };
}

function ownerOf({ tenant_id: tenantId, key_id: keyId }: Begun["row"]): Owner {
  return { tenantId, keyId };
}

/** A key that is limited to stores sees what it made itself: answers hold passages of other stores. */
function mayKnow(caller: Caller, keyId: string): boolean {
  return caller.storeIds === null || caller.keyId === keyId;
}

/** Who may only read can take back what it asked for itself. */
function assertOwn(caller: Caller, row: ResponseRow): void {
  if (caller.role !== "read" || caller.keyId === row.key_id) return;
  throw new AppError("permission_denied", "A key of role 'read' can change only the Responses that it made itself.");
}

/** What can be told before the search: that it is made. */
function opened(begun: Begun): Answered {
  const { row, ids } = begun;
  const call: KeptItem = { id: ids.search, type: "file_search_call", status: "searching", queries: [], results: null };
  return { row, output: isSearched(begun) ? [call] : [] };
}

function isSearched({ question }: Begun): boolean {
  return queriesOf(question.text, question.previous).length > 0;
}

function textsIn(item: object): string[] {
  return Object.values(item).flatMap((value: unknown) => {
    if (typeof value === "string") return [value];
    if (!Array.isArray(value)) return [];
    return value.flatMap((part: unknown) => (typeof part === "object" && part !== null ? textsIn(part) : []));
  });
}
