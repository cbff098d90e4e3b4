import { modelFor } from "../../answers/chat-answering.ts";
import { wishOf } from "../../answers/chat-wish.ts";
import type { LiveAnswers } from "../../answers/live-answers.ts";
import { cancelledEnd, failedEnd, failureOf } from "../../answers/outcome.ts";
import type { Prepared, Responding } from "../../answers/responding.ts";
import { AnswerWriter } from "../../answers/steps.ts";
import { searchOf, under } from "../../answers/search-tool.ts";
import type { ChatModel, ChatModels } from "../../chat/chat-models.ts";
import { AppError, messageOf } from "../../errors.ts";
import type { Caller } from "../../http/caller.ts";
import type { Dialect } from "../../http/dialect.ts";
import type { TextAnalysis, TextAsker } from "../../index/text-analysis.ts";
import type { Changes } from "../../platform/changes.ts";
import type { Clock } from "../../platform/clock.ts";
import { newId } from "../../platform/ids.ts";
import type { Log } from "../../platform/log.ts";
import { shown } from "../../platform/words.ts";
import { chooseRanker, type RerankDeps } from "../../search/rerank.ts";
import type { KeptItem } from "../../storage/response-items.ts";
import type { KeptQuestion, ResponseEnd, ResponseRow } from "../../storage/responses.ts";
import type { Storage } from "../../storage/storage.ts";
import { usableFiles } from "../stored-files/scope.ts";
import { assertStillThere, type Owner } from "../stored-files/space.ts";
import { presenterFor } from "../presenters/choose.ts";
import type { Locks } from "../locks.ts";
import type { StoreAccess } from "../store-access.ts";
import { afterResponse, assertOwn, type Before, conversationOf, inConversation, mayKnow, NOTHING } from "./before.ts";
import { freeAtAbort, holdConversation } from "./conversation-locks.ts";
import { Events, type ResponseEvent } from "./events.ts";
import { Following } from "./following.ts";
import { assertPaired, type ReadInput, readInput, textOf } from "./input.ts";
import { type Answered, modelOf, type StoredAnswer, type View } from "./present.ts";
import {
  assertChoice,
  ignoredIn,
  type ReadRequest,
  readRequest,
  refusalWithoutModel,
  type RequestRules,
  wishIn,
} from "./request.ts";
import { filesIn, textsIn } from "./texts.ts";
import { StepQueue } from "./step-queue.ts";

export interface ResponsesDeps {
  storage: Pick<Storage, "responses" | "conversations" | "files" | "transaction">;
  clock: Clock;
  log: Log;
  access: StoreAccess;
  locks: Locks;
  rankers: RerankDeps["rankers"];
  responding: Responding;
  chatModels: Pick<ChatModels, "get" | "resolve">;
  live: LiveAnswers;
  texts: Pick<TextAnalysis, "count">;
  changes: Changes;
  notify: (key: string) => void;
  wakeJobs: () => void;
  /** Stops the job that answers in the background. */
  interrupt: (responseId: string) => void;
  onEnd: (status: ResponseRow["status"], model: string) => void;
  settings: () => RequestRules & { responseDays: number; strictModels: boolean };
}

export interface ResponseAsker {
  caller: Caller;
  dialect: Dialect;
  signal: AbortSignal;
}

/** An accepted request: nothing but the answer is missing. */
export interface Begun {
  row: Omit<ResponseRow, "seq">;
  input: readonly KeptItem[];
  prepared: Prepared;
  isStored: boolean;
  isStreamed: boolean;
  view: View;
  /** What is held until it is answered, or left to a job. */
  held: AsyncDisposable;
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
  get(caller: Caller, id: string): Promise<StoredAnswer>;
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

export function responsesService(deps: ResponsesDeps): ResponsesService {
  return new Service(deps);
}

class Service implements ResponsesService {
  readonly #deps: ResponsesDeps;

  constructor(deps: ResponsesDeps) {
    this.#deps = deps;
  }

  async begin(asker: ResponseAsker, sent: unknown): Promise<Begun> {
    const { settings, clock, responding } = this.#deps;
    const { caller, dialect, signal } = asker;
    const read = readRequest(sent, settings());
    const { body, echo, include, searches } = read;
    const model = this.#modelOf(body.model ?? null);
    const refusal = model === null ? refusalWithoutModel(read) : null;
    if (refusal !== null) throw refusal;
    if (model !== null) assertChoice(body);
    await using held = new AsyncDisposableStack();
    const before = await this.#before(caller, read, held);
    const { previous, conversation } = before;
    const input = await this.#input(caller, { read, before, hasModel: model !== null });
    if (model !== null) await this.#checkFiles(caller, input.said);
    await this.#checkStores(asker, searches);
    const isStored = echo.store && settings().responseDays > 0;
    const question = await this.#question(input, before);
    const isInBackground = body.background === true;
    for (const [param, needed] of Object.entries({ background: isInBackground, conversation: conversation !== null }))
      if (needed && !isStored)
        throw new AppError("invalid_value", `Invalid '${param}': this server keeps no Responses.`, { param });
    const id = newId("resp_");
    const wish = model === null ? {} : { chat: wishIn(read) };
    const asked = { tenantId: caller.tenantId, keyId: caller.keyId, responseId: id, question, tools: searches };
    const chat =
      model === null
        ? null
        : {
            wish: wishOf(model.id, echo, wishIn(read)),
            history: [...(await before.items()), ...input.said],
          };
    const prepared = await responding.prepare({ ...asked, maxOutputTokens: echo.max_output_tokens, chat }, signal);
    return {
      row: {
        id,
        tenant_id: caller.tenantId,
        key_id: caller.keyId,
        parent: previous?.seq ?? null,
        previous_id: previous?.id ?? null,
        status: isInBackground ? "queued" : "in_progress",
        background: isInBackground,
        created_at: clock.nowSeconds(),
        completed_at: null,
        request: {
          ignored: [...ignoredIn(read, model !== null), ...input.ignored],
          include,
          echo: { ...echo, store: isStored },
          ...(model === null ? {} : { model: model.id }),
          ...(conversation === null ? {} : { conversation: conversation.id }),
        },
        question: isInBackground ? { ...question, ...wish } : null,
        outcome: null,
        conversation: conversation?.seq ?? null,
      },
      input: input.items,
      prepared,
      isStored,
      isStreamed: body.stream === true,
      view: { dialect, include },
      held: held.move(),
    };
  }

  async answer(begun: Begun, signal: AbortSignal): Promise<Answered> {
    await using _held = begun.held;
    const end = await this.#deps.responding.respond(begun.prepared, new AnswerWriter(), signal);
    return await this.#keep(begun, end, signal);
  }

  stream(begun: Begun, signal: AbortSignal): AsyncGenerator<ResponseEvent> {
    // A client that leaves before the first event ends a generator that never began.
    freeAtAbort(begun.held, signal);
    return this.#events(begun, signal);
  }

  async *#events(begun: Begun, signal: AbortSignal): AsyncGenerator<ResponseEvent> {
    await using held = begun.held;
    const events = new Events(begun.row, begun.view);
    yield* events.opening();
    yield* events.begun();
    const steps = new StepQueue();
    const ending = this.#written(begun, steps, signal);
    for await (const step of steps) yield* events.step(step);
    const end = await ending;
    if (end === null) return;
    const answered = await this.#keep(begun, end, signal).catch((error: unknown) => {
      if (!(error instanceof AppError)) throw error;
      return endedAs(begun.row, failedEnd(failureOf(error), this.#deps.clock.nowSeconds()));
    });
    // Before the client hears of the end, and may go on.
    await held[Symbol.asyncDispose]();
    yield* events.ending(answered);
  }

  async queue(begun: Begun): Promise<Answered> {
    const { storage, wakeJobs, clock } = this.#deps;
    const { row, input } = begun;
    await using _held = begun.held;
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

  async get(caller: Caller, id: string): Promise<StoredAnswer> {
    const row = await this.#find(caller, id);
    return { row, output: await this.#deps.storage.responses.items(row.tenant_id, row.seq, "output") };
  }

  follow(
    callerNow: () => Promise<Caller>,
    id: string,
    from: { next: number; view: View; signal: AbortSignal },
  ): AsyncGenerator<ResponseEvent> {
    const { changes, live, storage } = this.#deps;
    const answeredNow = async () => await this.get(await callerNow(), id);
    const markShown = async ({ row }: Answered) => await storage.responses.markShown(row.tenant_id, id);
    return new Following({ changes, live, answeredNow, markShown }, id, from).events();
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
    const { storage, interrupt, notify, clock, onEnd, live } = this.#deps;
    const row = await this.#find(caller, id);
    if (!row.background) throw new AppError("response_not_cancellable", "Cannot cancel a synchronous response.");
    assertOwn(caller, row);
    const here = row.completed_at === null ? live.breakOff(row.id) : null;
    const isCancelled = await storage.transaction(async (tables, tx) => {
      const written = here ?? (await live.writtenElsewhere(tables, row));
      const cancelled = cancelledEnd(clock.nowSeconds(), written);
      if (!(await tables.responses.end(row.tenant_id, row.id, cancelled))) return false;
      await tables.jobs.drop(row.tenant_id, "answer", row.id);
      tx.onCommit(() => {
        interrupt(row.id);
        notify(row.id);
      });
      return true;
    });
    if (isCancelled) onEnd("cancelled", modelOf(row));
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

  /** Files and pictures of messages are read: only those that the key may know of. */
  async #checkFiles(caller: Caller, items: readonly KeptItem[]): Promise<void> {
    const { storage } = this.#deps;
    const ids = new Set(items.flatMap(filesIn));
    const known = await usableFiles(storage, caller, [...ids]);
    for (const id of ids)
      if (!known.has(id) || (await storage.files.get(caller.tenantId, id)) === null)
        throw new AppError("file_not_found", `No such File object: ${shown(id)}`, { param: "input" });
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

  /** Null where passages are quoted. */
  #modelOf(name: string | null): ChatModel | null {
    const { chatModels, settings } = this.#deps;
    return modelFor(chatModels, name, settings());
  }

  async #before(caller: Caller, { body }: ReadRequest, held: AsyncDisposableStack): Promise<Before> {
    const { storage, locks } = this.#deps;
    if (body.previous_response_id) return await afterResponse(storage, caller, body.previous_response_id);
    if (!body.conversation) return NOTHING;
    const id = typeof body.conversation === "string" ? body.conversation : body.conversation.id;
    const conversation = await conversationOf(storage, caller, id);
    await holdConversation({ locks, conversations: storage.conversations }, conversation, held);
    return await inConversation(storage, conversation);
  }

  async #input(
    caller: Caller,
    { read, before, hasModel }: { read: ReadRequest; before: Before; hasModel: boolean },
  ): Promise<ReadInput> {
    const { responses } = this.#deps.storage;
    const find = async (id: string) => {
      const found = await responses.item(caller.tenantId, id);
      return found !== null && mayKnow(caller, found.keyId) ? found.item : null;
    };
    const input = await readInput(read.body.input, { find, hasModel });
    const calls = await before.calls();
    if (calls.length + input.calls.length > 0) assertPaired([...calls, ...input.calls]);
    return input;
  }

  async #question({ asked }: ReadInput, before: Before): Promise<KeptQuestion> {
    const lastBefore = async () => {
      const message = await before.lastUserMessage();
      return message === null ? null : textOf(message.content);
    };
    const [text, earlier] = [asked.at(-1), asked.at(-2)];
    // Only what a function gave is new: the question is the one before.
    if (text === undefined) return { text: (await lastBefore()) ?? "", previous: null };
    return { text, previous: earlier ?? (await lastBefore()) };
  }

  /** Null where nobody waits any more. A failure is an end. */
  async #written(begun: Begun, steps: StepQueue, signal: AbortSignal): Promise<ResponseEnd | null> {
    const { responding, log, clock } = this.#deps;
    const writer = new AnswerWriter((step) => steps.push(step));
    try {
      return await responding.respond(begun.prepared, writer, signal);
    } catch (error) {
      if (signal.aborted) return null;
      if (!(error instanceof AppError)) log.error("an answer failed", { error: messageOf(error) });
      return failedEnd(failureOf(error), clock.nowSeconds(), writer);
    } finally {
      steps.end();
    }
  }

  async #keep({ row, input, isStored }: Begun, end: ResponseEnd, signal: AbortSignal): Promise<Answered> {
    const { storage, clock, onEnd } = this.#deps;
    const ended = endedAs(row, end);
    if (signal.aborted) return ended;
    // What failed is no part of a conversation.
    const conversation = end.status === "failed" ? null : row.conversation;
    if (isStored)
      await storage.transaction(async (tables) => {
        // Answering takes a while: the tenant may have been deleted meanwhile, with all its answers.
        await assertStillThere(tables, ownerOf(row), clock.nowSeconds());
        await tables.responses.insert({ ...ended.row, conversation }, { input, output: end.output });
      });
    onEnd(end.status, modelOf(ended.row));
    return ended;
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
