/** How a tokenizer puts a query and a document into one row, as Hugging Face's Rust `tokenizers` does it. */
import type { BatchRow } from "./graph-inputs.ts";
import type { JsonObject } from "./json-files.ts";
import { numberOf, objectOf, stringOf } from "./json-files.ts";

/** Special tokens before, between and after a pair, and the token types of all of its parts. */
export interface PairTemplate {
  before: number[];
  beforeTypes: number[];
  queryType: number;
  between: number[];
  betweenTypes: number[];
  documentType: number;
  after: number[];
  afterTypes: number[];
}

export type PairTemplateRead = { ok: true; template: PairTemplate } | { ok: false; problem: string };

/** @param processor `post_processor` of tokenizer.json */
export function readPairTemplate(processor: unknown): PairTemplateRead {
  const object = objectOf(processor);
  switch (object?.["type"]) {
    case "BertProcessing":
      return classic(object, 1, 1);
    case "RobertaProcessing":
      return classic(object, 2, 0);
    case "TemplateProcessing":
      return fromTemplate(object);
    case "Sequence": {
      // Others of a sequence move offsets, which nobody looks at here.
      const steps = Array.isArray(object["processors"]) ? object["processors"] : [];
      const makers = steps.filter((step) => objectOf(step)?.["type"] !== "ByteLevel");
      return makers.length === 1 ? readPairTemplate(makers[0]) : missing();
    }
    default:
      return missing();
  }
}

/** Tokens that a row of this template has beside those of its texts. */
export function templateLength({ before, between, after }: PairTemplate): number {
  return before.length + between.length + after.length;
}

/**
 * How many tokens of each text are kept where both together may have `capacity`: the longer one is cut to the length of
 * the shorter first, then both alike (`longest_first`). Of two halves the longer text gets the larger one, the document
 * where they are equal.
 */
export function pairLengths(query: number, document: number, capacity: number): { query: number; document: number } {
  if (query + document <= capacity) return { query, document };
  const shorter = Math.min(query, document);
  const half = Math.floor(capacity / 2);
  const [short, long] = shorter <= half ? [shorter, capacity - shorter] : [half, capacity - half];
  return query > document ? { query: long, document: short } : { query: short, document: long };
}

/** A row of a query and the tokens `start` to `end` of a document. */
export function pairRow(
  template: PairTemplate,
  query: Int32Array,
  document: Int32Array,
  start: number,
  end: number,
): BatchRow {
  return {
    ids: document,
    prompt: 0,
    start,
    end,
    special: {
      before: [...template.before, ...query, ...template.between],
      beforeTypes: [...template.beforeTypes, ...Array.from(query, () => template.queryType), ...template.betweenTypes],
      textType: template.documentType,
      after: template.after,
      afterTypes: template.afterTypes,
    },
  };
}

/** `cls A sep… B sep`, as BERT (one separator between, types 0 and 1) and RoBERTa (two, one type) have it. */
function classic(processor: JsonObject, separators: number, documentType: number): PairTemplateRead {
  const [cls, sep] = ["cls", "sep"].map((key) => {
    const pair = processor[key];
    return Array.isArray(pair) ? numberOf(pair[1]) : null;
  });
  if (typeof cls !== "number" || typeof sep !== "number") return missing();
  const between = new Array<number>(separators).fill(sep);
  return {
    ok: true,
    template: {
      before: [cls],
      beforeTypes: [0],
      queryType: 0,
      between,
      betweenTypes: between.map(() => 0),
      documentType,
      after: [sep],
      afterTypes: [documentType],
    },
  };
}

function fromTemplate(processor: JsonObject): PairTemplateRead {
  const known = objectOf(processor["special_tokens"]) ?? {};
  const parts: { ids: number[]; types: number[] }[] = [{ ids: [], types: [] }];
  const types: number[] = [];
  for (const step of Array.isArray(processor["pair"]) ? processor["pair"] : []) {
    const sequence = objectOf(objectOf(step)?.["Sequence"]);
    const token = objectOf(objectOf(step)?.["SpecialToken"]);
    if (sequence !== null) {
      if (sequence["id"] !== ["A", "B"][types.length]) {
        return { ok: false, problem: "the pair template does not have the two texts once each and in order" };
      }
      types.push(numberOf(sequence["type_id"]) ?? 0);
      parts.push({ ids: [], types: [] });
      continue;
    }
    const name = stringOf(token?.["id"]) ?? "";
    const ids = objectOf(known[name])?.["ids"];
    if (!Array.isArray(ids) || !ids.every((id) => typeof id === "number")) {
      return { ok: false, problem: `the pair template names a special token '${name}' that it does not define` };
    }
    const part = parts.at(-1);
    part?.ids.push(...ids);
    part?.types.push(...ids.map(() => numberOf(token?.["type_id"]) ?? 0));
  }
  const [before, between, after] = parts;
  const [queryType, documentType] = types;
  if (before === undefined || between === undefined || after === undefined) return missing();
  if (queryType === undefined || documentType === undefined) return missing();
  return {
    ok: true,
    template: {
      before: before.ids,
      beforeTypes: before.types,
      queryType,
      between: between.ids,
      betweenTypes: between.types,
      documentType,
      after: after.ids,
      afterTypes: after.types,
    },
  };
}

function missing(): PairTemplateRead {
  return { ok: false, problem: "the post_processor says nothing of pairs of texts, which a reranker reads" };
}
