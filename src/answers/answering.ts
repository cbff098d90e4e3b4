/**
 * Answers a question from documents, without a language model: searches, chooses what to quote, and writes the answer
 * with a citation after each quotation. For requests and for the jobs that answer in the background alike. It knows
 * neither HTTP nor who may see which store: that is decided before; whether a store can be searched now is asked again.
 */
import type { TextAnalysis, TextAsker } from "../index/text-analysis.ts";
import { focusOf, queriesOf } from "../search/questions.ts";
import type { KeptCitation, KeptResult } from "../storage/response-items.ts";
import { compose, type Sentences } from "./compose.ts";
import { LEAD } from "./limits.ts";
import { type Bounds, type Choice, chooseQuotations } from "./quotations.ts";
import { type Found, Searcher, type SearcherDeps } from "./searcher.ts";
import type { FileSearchTool } from "./search-tool.ts";
import type { Fit } from "./windows.ts";

export interface Question {
  /** The text of the last message of the user. */
  text: string;
  /** And of the one before. */
  previous: string | null;
}

export interface AnswerRequest {
  tenantId: string;
  keyId: string;
  /** For the query log: what is answered, a Response unless said otherwise. */
  responseId: string;
  source?: "response" | "run";
  question: Question;
  tools: readonly { tool: FileSearchTool; param: string }[];
  maxOutputTokens: number | null;
  /** The sentence before quotations, where the operator has none of their own. */
  lead?: string;
  /** What was searched and found already. */
  found?: Found;
}

export interface Answer extends Found {
  text: string;
  citations: KeptCitation[];
  /** `maxOutputTokens` left something out. */
  isCut: boolean;
  tokens: { input: number; output: number };
}

/** Throws an AppError for what a client can be told. */
export interface Answering {
  answer(request: AnswerRequest, signal: AbortSignal): Promise<Answer>;
}

export interface AnsweringDeps extends SearcherDeps {
  /** How well pieces of text fit a question, by the mixture of words and meaning that searches have. */
  fit: (question: string, texts: readonly string[], asker: TextAsker) => Promise<readonly number[]>;
  texts: Pick<TextAnalysis, "count">;
  settings: () => Bounds & Sentences;
}

export function createAnswering(deps: AnsweringDeps): Answering {
  return { answer: (request, signal) => new OneAnswer(deps, request, signal).run() };
}

class OneAnswer {
  readonly #deps: AnsweringDeps;
  readonly #request: AnswerRequest;
  readonly #asker: TextAsker;

  constructor(deps: AnsweringDeps, request: AnswerRequest, signal: AbortSignal) {
    this.#deps = deps;
    this.#request = request;
    this.#asker = { tenant: request.tenantId, signal };
  }

  async run(): Promise<Answer> {
    const { minScore, weakScore, ...sentences } = this.#deps.settings();
    const { lead, maxOutputTokens } = this.#request;
    const found = this.#request.found ?? (await this.#search());
    const [choice, counted] = await Promise.all([
      this.#choose(found.results, { minScore, weakScore }),
      this.#deps.texts.count(found.queries, this.#asker),
    ]);
    // An operator's own sentence says what they want said.
    const said = lead !== undefined && sentences.lead === LEAD ? { ...sentences, lead } : sentences;
    const { text, citations, tokens, isCut } = compose(choice, said, maxOutputTokens);
    return {
      ...found,
      text,
      citations,
      isCut,
      warnings: [...found.warnings],
      tokens: { input: counted.reduce((sum, count) => sum + count, 0), output: tokens },
    };
  }

  async #search(): Promise<Found> {
    const { question } = this.#request;
    const searcher = new Searcher(this.#deps, this.#request, this.#asker.signal);
    return await searcher.search(queriesOf(question.text, question.previous));
  }

  async #choose(results: readonly KeptResult[], bounds: Bounds): Promise<Choice> {
    const { text, previous } = this.#request.question;
    // A passage that a tool left out by its threshold is not here; the bounds hold for the others.
    const question = focusOf(text, previous);
    const fit: Fit = (texts) => this.#deps.fit(question, texts, this.#asker);
    return await chooseQuotations(results, question, bounds, fit);
  }
}
