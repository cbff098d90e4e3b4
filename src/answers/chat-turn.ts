import type { ChatBody, ChatClient } from "../chat/client.ts";
import { ToolsRefused } from "../chat/failures.ts";
import type { ChatEnd, FunctionCall } from "../chat/pieces.ts";
import { focusOf, queriesOf } from "../search/questions.ts";
import type { ToolSupport } from "../chat/tool-support.ts";
import type { TextAnalysis } from "../index/text-analysis.ts";
import type { KeptResult } from "../storage/response-items.ts";
import type { KeptOutcome } from "../storage/responses.ts";
import { type ChatCall, type ChatMessage, textIn, withoutOldest, withText } from "./chat-messages.ts";
import { type Plan, withoutTools } from "./chat-plan.ts";
import { maySearch } from "./chat-wish.ts";
import { CitedText } from "./cited-text.ts";
import { CHAT } from "./limits.ts";
import { costsOf, sumOf } from "./message-costs.ts";
import { readQueries, searchFunction, searchName } from "./search-function.ts";
import { type Found, Searcher, type SearcherDeps } from "./searcher.ts";
import { PASSAGE_RULES, ShownPassages, withinBudget } from "./shown-passages.ts";
import type { AnswerWriter } from "./steps.ts";
import { TokenBudget } from "./token-budget.ts";

/** A call of the search as it stands in the messages. */
const CALL_TOKENS = 64;

export interface TurnDeps extends SearcherDeps {
  client: Pick<ChatClient, "ask">;
  support: ToolSupport;
  texts: Pick<TextAnalysis, "count">;
}

export interface ChatAnswered {
  status: "completed" | "incomplete";
  reason: KeptOutcome["reason"];
  usage: NonNullable<KeptOutcome["usage"]>;
  /** Calls of the model. */
  rounds: number;
  warnings: string[];
}

interface Round {
  end: ChatEnd;
  /** Everything that was said. */
  text: string;
}

/** One answer of a language model, in as many rounds as it takes. */
export class ChatTurn {
  readonly #deps: TurnDeps;
  readonly #plan: Plan;
  readonly #writer: AnswerWriter;
  readonly #signal: AbortSignal;
  readonly #searcher: Searcher;
  readonly #passages = new ShownPassages();
  readonly #cited: CitedText;
  readonly #budget: TokenBudget;
  #messages: ChatMessage[];
  /** Where among them the last turn begins. */
  #turn: number;
  readonly #warnings = new Set<string>();
  readonly #searched = new Set<string>();
  #rounds = 0;
  #searches = 0;
  #searchRounds = 0;
  #oddArguments = 0;
  #passageBudget: number;
  #freeTokens: number;
  /** Of the last round's input; counted only where it is bounded. */
  #inputCost = 0;
  #isSearchDone = false;
  #hasPassages = false;
  #firstFound: Found | null = null;

  constructor(deps: TurnDeps, { plan, writer }: { plan: Plan; writer: AnswerWriter }, signal: AbortSignal) {
    const { request, messages, turn, warnings, passageBudget, freeTokens } = plan;
    this.#deps = deps;
    this.#plan = plan;
    this.#writer = writer;
    this.#signal = signal;
    this.#searcher = new Searcher(deps, request, signal);
    const question = focusOf(request.question.text, request.question.previous);
    const isPlain = request.wish.format.type === "text";
    this.#cited = new CitedText(writer, { passages: this.#passages, question, isPlain });
    this.#messages = [...messages];
    this.#turn = turn;
    this.#budget = new TokenBudget({ input: request.wish.maxInputTokens, output: request.wish.maxOutputTokens });
    this.#passageBudget = passageBudget;
    this.#freeTokens = freeTokens;
    for (const warning of warnings) this.#warnings.add(warning);
  }

  /** What was searched and found before the model was asked. */
  get firstFound(): Found | null {
    return this.#firstFound;
  }

  async run(): Promise<ChatAnswered> {
    const { offer, model, goesOn, request } = this.#plan;
    if (goesOn && offer.hasSearch) this.#showAgain();
    // A model that asks for a search takes the whole input once more.
    const isDear = this.#budget.inputLeft !== null;
    const isFirst = model.search === "always" || offer.isSearchForced || isDear || !this.#deps.support.has(model);
    if (offer.hasSearch && !goesOn && isFirst) await this.#searchFirst();
    for (let { forced } = offer, isInsisting = false; ;) {
      const over = await this.#makeRoom();
      if (over !== null) return this.#answered("incomplete", over);
      const isLast = this.#searchRounds >= CHAT.searchRounds || this.#mustAnswer();
      const round = await this.#round(isLast, forced);
      // Some models go on to call what they are not offered any more.
      const calls = isLast ? [] : this.#callsOf(round.end, request.wish.parallelCalls);
      if (forced !== null) {
        if (calls.length === 0 && !isInsisting) {
          isInsisting = true;
          this.#insist(forced);
          continue;
        }
        if (calls.length === 0) this.#warnings.add("The chat model did not call a function although it had to.");
        // It was held back until it was known whether it is part of the answer.
        this.#cited.write(round.text);
        forced = null;
      }
      if (calls.length === 0) return this.#ended(round.end);
      this.#cited.endMessage("completed");
      const own = calls.filter(({ name }) => offer.functions.some((one) => one.name === name));
      await this.#answerCalls(calls, own.length > 0);
      if (own.length === 0) continue;
      for (const call of own) this.#writer.call(call.name, call.arguments);
      return this.#answered("completed", null);
    }
  }

  /** Why no round can follow; else what is asked fits, the oldest messages left out if need be. */
  async #makeRoom(): Promise<ChatAnswered["reason"]> {
    const { outputLeft, inputLeft } = this.#budget;
    if (outputLeft !== null && outputLeft < 1) return "max_output_tokens";
    if (inputLeft === null) return null;
    const { fixedTokens, request } = this.#plan;
    const asker = { tenant: request.tenantId, signal: this.#signal };
    const { messages: costs } = await costsOf(this.#deps.texts, { fixed: [], messages: this.#messages }, asker);
    const kept = withoutOldest(this.#messages, costs, { turn: this.#turn, budget: inputLeft - fixedTokens });
    if (kept === null) return "max_prompt_tokens";
    this.#messages = kept.messages;
    this.#turn = kept.turn;
    this.#inputCost = fixedTokens + sumOf(costs.slice(kept.left));
    return null;
  }

  /** What is left of the input does not hold it once more. The client's functions end the answer here in any case. */
  #mustAnswer(): boolean {
    const { inputLeft } = this.#budget;
    return inputLeft !== null && this.#plan.offer.functions.length === 0 && 2 * this.#inputCost > inputLeft;
  }

  /** Passages of the same turn are shown again, under the numbers that they had if nothing else was shown. */
  #showAgain(): void {
    const { shownBefore } = this.#plan;
    if (shownBefore.length === 0) return;
    this.#isSearchDone = true;
    this.#show(shownBefore);
  }

  async #searchFirst(): Promise<void> {
    const { question } = this.#plan.request;
    const queries = queriesOf(question.text, question.previous);
    if (queries.length === 0) return;
    this.#searches++;
    this.#isSearchDone = true;
    const results = await this.#search(queries);
    this.#show(results);
  }

  #show(results: readonly KeptResult[]): void {
    const message = this.#messages[this.#turn];
    if (message === undefined) return;
    this.#hasPassages = true;
    this.#messages[this.#turn] = withText(message, this.#passages.render(results));
  }

  /** One search, as an item of the answer. Its results are those that are shown. */
  async #search(queries: readonly string[]): Promise<KeptResult[]> {
    this.#writer.search();
    const found = await this.#searcher.search(queries);
    this.#searched.add(keyOf(queries));
    for (const warning of found.warnings) this.#warnings.add(warning);
    const asker = { tenant: this.#plan.request.tenantId, signal: this.#signal };
    // More than could be shown are not counted.
    const nearest = found.results.slice(0, CHAT.passageTokens / 16);
    const counts = nearest.map((result) => (this.#passages.isKnown(result) ? 0 : null));
    const counted = await this.#deps.texts.count(
      nearest.flatMap(({ text }, i) => (counts[i] === null ? [text] : [])),
      asker,
    );
    let next = 0;
    const costs = counts.map((count) => count ?? counted[next++] ?? 0);
    const { results, tokens } = withinBudget(nearest, costs, this.#roomForPassages());
    this.#freeTokens -= tokens;
    this.#passageBudget = Math.max(0, Math.min(this.#passageBudget - tokens, Math.floor(this.#freeTokens / 2)));
    this.#firstFound ??= { ...found, results };
    this.#writer.searched([...queries], results);
    return results;
  }

  /** In a later round no more than would fit beside what was asked before. */
  #roomForPassages(): number {
    const { inputLeft } = this.#budget;
    if (inputLeft === null || this.#rounds === 0) return this.#passageBudget;
    return Math.max(0, Math.min(this.#passageBudget, inputLeft - this.#inputCost - CALL_TOKENS));
  }

  /** Asks; without tools where the server turns out to take none. */
  async #round(isLast: boolean, forced: Plan["offer"]["forced"]): Promise<Round> {
    const { model, offer } = this.#plan;
    const withTools = !isLast && this.#deps.support.has(model);
    try {
      return await this.#ask(withTools, forced);
    } catch (error) {
      if (!(error instanceof ToolsRefused)) throw error;
      this.#deps.support.refuse(model);
      if (offer.functions.length > 0) throw withoutTools(model);
      if (offer.hasSearch && !this.#isSearchDone) await this.#searchFirst();
      return await this.#ask(false, null);
    }
  }

  async #ask(withTools: boolean, forced: Plan["offer"]["forced"]): Promise<Round> {
    const { model, request } = this.#plan;
    const said: string[] = [];
    const thought: string[] = [];
    // What is said instead of a call that must come is not part of the answer.
    const isHeld = forced !== null && withTools;
    const pieces = this.#deps.client.ask(model, this.#body(withTools, forced), {
      tenant: request.tenantId,
      signal: this.#signal,
    });
    for (;;) {
      const next = await pieces.next();
      if (next.done === true) {
        await this.#count(next.value, { said: said.join(""), thought: thought.join("") });
        return { end: next.value, text: said.join("") };
      }
      const { type, text } = next.value;
      (type === "text" ? said : thought).push(text);
      if (type === "text" && !isHeld) this.#cited.write(text);
      if (this.#writer.isOver) await pieces.return({ finish: null, usage: null, calls: [] });
    }
  }

  #body(withTools: boolean, forced: Plan["offer"]["forced"]): ChatBody {
    const { model, offer, request } = this.#plan;
    const { wish } = request;
    const { temperature, topP, effort, format } = wish;
    const { outputLeft } = this.#budget;
    const tools = withTools
      ? [
          ...offer.functions.map(({ name, description, parameters, strict }) => ({
            type: "function",
            function: {
              name,
              ...(description ? { description } : {}),
              parameters: parameters ?? { type: "object", properties: {} },
              ...(strict ? { strict } : {}),
            },
          })),
          ...(maySearch(offer, wish) ? [searchFunction(offer.functions)] : []),
        ]
      : [];
    return {
      messages: this.#asked(),
      ...(outputLeft === null ? {} : { [model.maxTokensField]: Math.max(1, outputLeft) }),
      ...(temperature === null ? {} : { temperature }),
      ...(topP === null ? {} : { top_p: topP }),
      ...(effort === null ? {} : { reasoning_effort: effort }),
      ...(format.type === "text" ? {} : { response_format: responseFormat(format) }),
      ...(tools.length === 0 ? {} : { tools }),
      ...(tools.length === 0 || forced === null ? {} : { tool_choice: forced }),
      ...(tools.length === 0 || wish.parallelCalls ? {} : { parallel_tool_calls: false }),
    };
  }

  /** The messages with one of the system before them, as the model's server takes it. */
  #asked(): ChatMessage[] {
    const { model, system, request } = this.#plan;
    const rules = this.#hasPassages && request.wish.format.type === "text" ? PASSAGE_RULES : "";
    const text = [system, rules].filter((part) => part !== "").join("\n\n");
    if (text === "") return this.#messages;
    if (model.systemRole !== "user") return [{ role: model.systemRole, content: text }, ...this.#messages];
    const first = this.#messages.findIndex(({ role }) => role === "user");
    if (first < 0) return [{ role: "user", content: text }, ...this.#messages];
    return this.#messages.map((message, i) => (i === first ? withText(message, text) : message));
  }

  #callsOf({ calls, finish }: ChatEnd, mayBeSeveral: boolean): FunctionCall[] {
    // A call that was cut off cannot be run.
    const whole = finish === "length" ? calls.filter(({ arguments: text }) => isJson(text)) : calls;
    return mayBeSeveral ? whole : whole.slice(0, 1);
  }

  /** A call must come and did not: it is asked for once more. */
  #insist(forced: NonNullable<Plan["offer"]["forced"]>): void {
    const what = forced === "required" ? "one of the functions" : `the function ${forced.function.name}`;
    const content = `Call ${what} now. Do not answer in words.`;
    const last = this.#messages.at(-1);
    if (last?.role !== "user") this.#messages.push({ role: "user", content });
    else this.#messages[this.#messages.length - 1] = withText({ role: "user", content }, textIn(last));
  }

  /** Runs the searches among the calls; where the client has calls to run as well, nobody reads what is told. */
  async #answerCalls(calls: readonly FunctionCall[], isMixed: boolean): Promise<void> {
    const name = searchName(this.#plan.offer.functions);
    const asked: ChatCall[] = [];
    const given: ChatMessage[] = [];
    this.#searchRounds++;
    for (const [i, call] of calls.entries()) {
      if (isMixed && call.name !== name) continue;
      const id = `call_${this.#rounds}_${i}`;
      asked.push({ id, type: "function", function: { name: call.name, arguments: argumentsOf(call) } });
      const content = call.name === name ? await this.#searchFor(call) : "There is no function of this name.";
      given.push({ role: "tool", tool_call_id: id, content });
    }
    if (!isMixed) this.#messages.push({ role: "assistant", content: null, tool_calls: asked }, ...given);
  }

  async #searchFor(call: FunctionCall): Promise<string> {
    const { wish, question } = this.#plan.request;
    if (wish.maxToolCalls !== null && this.#searches >= wish.maxToolCalls)
      return `The limit of ${wish.maxToolCalls} searches is reached. Answer with what you have.`;
    let queries = readQueries(call.arguments);
    if (queries === null && this.#oddArguments++ === 0)
      return 'The arguments are not valid. Give JSON like {"queries": ["words to search for"]}.';
    queries ??= queriesOf(question.text, question.previous).slice(0, CHAT.queries);
    if (queries.length === 0 || this.#searched.has(keyOf(queries)))
      return "This was searched already, and nothing else was found. Answer with what you have.";
    this.#searches++;
    this.#isSearchDone = true;
    this.#hasPassages = true;
    const results = await this.#search(queries);
    return results.length === 0 ? "No passage was found." : this.#passages.render(results);
  }

  #ended({ finish }: ChatEnd): ChatAnswered {
    const isCut = finish === "length" || finish === "content_filter";
    if (!this.#writer.items.some(({ type }) => type === "message") && this.#writer.said === null) {
      this.#writer.openMessage();
      this.#warnings.add("The chat model gave no text.");
    }
    this.#cited.end(isCut ? "incomplete" : "completed");
    if (!isCut) return this.#answered("completed", null);
    return this.#answered("incomplete", finish === "length" ? "max_output_tokens" : "content_filter");
  }

  #answered(status: ChatAnswered["status"], reason: ChatAnswered["reason"]): ChatAnswered {
    return { status, reason, usage: this.#budget.used, rounds: this.#rounds, warnings: [...this.#warnings] };
  }

  /** What the server does not tell is counted here. */
  async #count({ usage, calls }: ChatEnd, { said, thought }: { said: string; thought: string }): Promise<void> {
    this.#rounds++;
    const asker = { tenant: this.#plan.request.tenantId, signal: this.#signal };
    const texts = usage === null ? this.#asked().map(textIn) : [];
    const called = calls.map((call) => `${call.name}${call.arguments}`).join("\n");
    const [thoughts = 0, ...counted] = await this.#deps.texts.count([thought, `${said}${called}`, ...texts], asker);
    const [output = 0, ...input] = counted;
    this.#budget.spend({
      input: usage?.input ?? sumOf(input),
      output: usage?.output ?? output + thoughts,
      cached: usage?.cached ?? 0,
      reasoning: Math.min(usage?.reasoning ?? thoughts, usage?.output ?? Infinity),
    });
  }
}

function responseFormat(format: Plan["request"]["wish"]["format"]): object {
  if (format.type !== "json_schema") return format;
  const { name, schema, strict, description } = format;
  return {
    type: "json_schema",
    json_schema: { name, schema, strict: strict ?? true, ...(description ? { description } : {}) },
  };
}

/** Servers refuse a history with arguments that are no JSON. */
function argumentsOf({ arguments: text }: FunctionCall): string {
  return isJson(text) ? text : "{}";
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function keyOf(queries: readonly string[]): string {
  return JSON.stringify(queries.map((query) => query.trim().toLowerCase()).sort());
}
