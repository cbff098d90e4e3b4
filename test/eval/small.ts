/**
 * The first stores of a new user: one file, three, ten; sets cut to five, twenty, a hundred documents. A question that the
 * store answers is to be answered, and one about something else is to be refused, however little there is to judge by.
 *
 * `small.jsonl` has questions to the files of docs/, each with words of the passage that answers it, and questions that no
 * file of docs/ answers. "Near" are questions that other files of docs/, or other documents of a set, answer: they are
 * about the same matter, and the store does not answer them.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { json } from "../helpers/api.ts";
import { type SeededRandom, seededRandom } from "../helpers/random.ts";
import { ROOT, type TestServer } from "../helpers/server.ts";
import { respond, type Responded } from "./answers.ts";
import { calibrationOf, type Judged } from "./calibration.ts";
import { fillStore } from "./client.ts";
import type { EvalSet } from "./sets.ts";

const QUESTIONS = join(import.meta.dir, "small.jsonl");
/** Stores of each size that are made of a set, and questions of each kind that a store is asked. */
const CUTS = [
  { documents: 5, stores: 4 },
  { documents: 20, stores: 2 },
  { documents: 100, stores: 1 },
] as const;
const GROUPS = [
  { files: 1, stores: Infinity },
  { files: 3, stores: 5 },
  { files: 10, stores: 2 },
] as const;
const ASKED = { own: 20, near: 8, foreign: 8 } as const;
/** Of the translated sets a few stand for all. */
const LEFT_OUT = /^xquad-(?!de|es|zh)/;
/** Results whose scores are looked at. */
const JUDGED_RESULTS = 20;

interface Passage {
  file: string;
  text: string;
}

type Kind = keyof typeof ASKED;

interface Question {
  text: string;
  kind: Kind;
  isRight(passage: Passage): boolean;
}

interface SmallStore {
  size: string;
  /** All of a set together weigh as much as all of another. */
  set: string;
  files: readonly { id: string; name?: string; text: string }[];
  questions: readonly Question[];
}

interface Told {
  size: string;
  set: string;
  kind: Kind;
  said: Responded["kind"];
  isRight: boolean;
}

/** Asks the stores made of `sets` and of docs/; figures by name. */
export async function evaluateSmall(server: TestServer, sets: readonly EvalSet[]): Promise<Record<string, number>> {
  const told: Told[] = [];
  const judged = new Map<string, Judged[]>();
  for (const small of smallStores(sets)) {
    const store = await fillStore(server, `${small.set}, ${small.size}`, small.files, null);
    const own = small.questions.filter(({ kind }) => kind === "own");
    for (const { text, isRight } of own) {
      const hits = await resultsOf(server, store.id, text);
      const shown = hits.map(({ score, ...hit }) => ({
        score,
        isRelevant: isRight({ file: store.documentOf(hit.file), text: hit.text }),
        weight: 1 / own.length / hits.length,
      }));
      judged.set(small.size, [...(judged.get(small.size) ?? []), ...shown]);
    }
    for (const { text, kind, isRight } of small.questions) {
      const { kind: said, results } = await respond(server, store.id, text);
      const [best] = results;
      const isBestRight = best !== undefined && isRight({ file: store.documentOf(best.file_id), text: best.text });
      told.push({ size: small.size, set: small.set, kind, said, isRight: isBestRight });
    }
    await store.remove();
  }
  const sizes = [...judged.keys()];
  for (const size of sizes) console.error(`${size.padEnd(16)} ${told.filter((one) => one.size === size).length} asked`);
  return Object.assign({}, ...sizes.map((size) => figuresOf(size, told, judged.get(size) ?? []))) as Record<
    string,
    number
  >;
}

function figuresOf(size: string, told: readonly Told[], judged: readonly Judged[]): Record<string, number> {
  const share = (kind: Kind, holds: (one: Told) => boolean, among: (one: Told) => boolean = () => true) => {
    const those = told.filter((one) => one.size === size && one.kind === kind && among(one));
    const shares = [...Map.groupBy(those, ({ set }) => set).values()].map((of) => of.filter(holds).length / of.length);
    return shares.reduce((sum, one) => sum + one, 0) / Math.max(1, shares.length);
  };
  return {
    [`small, ${size}: answered`]: share("own", ({ said }) => said === "answer"),
    [`small, ${size}: refused`]: share("own", ({ said }) => said === "nothing"),
    [`small, ${size}: right passage of the answered`]: share(
      "own",
      ({ isRight }) => isRight,
      ({ said }) => said === "answer",
    ),
    [`small, ${size}: about something else, refused`]: share("foreign", ({ said }) => said === "nothing"),
    [`small, ${size}: near, refused`]: share("near", ({ said }) => said === "nothing"),
    [`small, ${size}: calibration error`]: calibrationOf(judged).error,
  };
}

function smallStores(sets: readonly EvalSet[]): SmallStore[] {
  const used = sets.filter(({ name }) => !LEFT_OUT.test(name));
  const nothing = linesOf().filter(({ file }) => file === null);
  return [...storesOfDocs(nothing), ...used.flatMap((set) => cutsOf(set, used, nothing))];
}

interface Line {
  /** Null: no file of docs/ answers it. */
  file: string | null;
  query: string;
  passage?: string;
}

function linesOf(): Line[] {
  const lines = readFileSync(QUESTIONS, "utf8").trim().split("\n");
  return lines.map((line) => JSON.parse(line) as Line);
}

function storesOfDocs(nothing: readonly Line[]): SmallStore[] {
  const lines = linesOf().filter(({ file }) => file !== null);
  const names = [...new Set(lines.map(({ file }) => file ?? ""))];
  const texts = new Map(names.map((name) => [name, readFileSync(join(ROOT, "docs", name), "utf8")]));
  const gone = lines.filter(({ file, passage }) => !plain(texts.get(file ?? "") ?? "").includes(plain(passage ?? "")));
  if (gone.length > 0)
    throw new Error(`not in docs/ any more: ${gone.map(({ file, passage }) => `${file}: ${passage}`).join("; ")}`);
  const random = seededRandom(1);
  return GROUPS.flatMap(({ files, stores }) => {
    const shuffled = some(names, names.length, random);
    const groups = Array.from({ length: Math.min(stores, Math.floor(names.length / files)) }, (_, i) =>
      shuffled.slice(i * files, (i + 1) * files),
    );
    // Of ten there are not two groups: the second begins where the first ended, and takes of its files again.
    if (files === 10) groups.push(shuffled.slice(-files));
    return groups.map((group) => {
      const isHere = ({ file }: Line) => group.includes(file ?? "");
      return {
        size: files === 1 ? "1 file" : `${files} files`,
        set: "docs",
        files: group.map((name) => ({ id: name, name, text: texts.get(name) ?? "" })),
        questions: [
          ...some(lines.filter(isHere), ASKED.own, random).map(({ query, file, passage = "" }) => ({
            text: query,
            kind: "own" as const,
            isRight: (found: Passage) => found.file === file && plain(found.text).includes(plain(passage)),
          })),
          ...some(
            lines.filter((line) => !isHere(line)),
            ASKED.near,
            random,
          ).map(({ query }) => unanswered(query, "near")),
          ...some(nothing, ASKED.foreign, random).map(({ query }) => unanswered(query, "foreign")),
        ],
      };
    });
  });
}

function cutsOf(set: EvalSet, sets: readonly EvalSet[], nothing: readonly Line[]): SmallStore[] {
  const random = seededRandom(set.documents.length);
  const texts = new Map(
    set.documents.map(({ id, title, text }) => [id, title === "" ? text : `${title}\n\n${text}`] as const),
  );
  const isThere = (id: string) => (texts.get(id) ?? "").trim() !== "";
  const relevant = (query: EvalSet["queries"][number]) =>
    [...query.judgments].flatMap(([id, grade]) => (grade > 0 && isThere(id) ? [id] : []));
  const foreign = isTranslated(set)
    ? []
    : [...nothing.map(({ query }) => query), ...othersThan(set, sets).flatMap((other) => someTexts(other, 20, random))];
  return CUTS.flatMap(({ documents, stores }) =>
    Array.from({ length: stores }, (): SmallStore => {
      const kept = cut(set, { documents, isThere, relevant }, random);
      const isHere = (query: EvalSet["queries"][number]) => relevant(query).some((id) => kept.has(id));
      const own = some(set.queries.filter(isHere), ASKED.own, random);
      const near = some(
        set.queries.filter((query) => !isHere(query)),
        ASKED.near,
        random,
      );
      return {
        size: `${documents} documents`,
        set: set.name,
        files: [...kept].map((id) => ({ id, text: texts.get(id) ?? "" })),
        questions: [
          ...own.map(({ text, judgments }) => ({
            text,
            kind: "own" as const,
            isRight: ({ file }: Passage) => (judgments.get(file) ?? 0) > 0,
          })),
          ...near.map(({ text }) => unanswered(text, "near")),
          ...some(foreign, ASKED.foreign, random).map((text) => unanswered(text, "foreign")),
        ],
      };
    }),
  );
}

interface Cutting {
  documents: number;
  isThere: (id: string) => boolean;
  relevant: (query: EvalSet["queries"][number]) => string[];
}

/** Documents that answer some questions, four fifths, and others. Of translated sets they follow one another. */
function cut(set: EvalSet, { documents, isThere, relevant }: Cutting, random: SeededRandom): Set<string> {
  const ids = set.documents.flatMap(({ id }) => (isThere(id) ? [id] : []));
  if (isTranslated(set)) {
    const from = random.below(Math.max(1, ids.length - documents));
    return new Set(ids.slice(from, from + documents));
  }
  const kept = new Set<string>();
  for (const query of some(set.queries, set.queries.length, random)) {
    if (kept.size >= documents * 0.8) break;
    for (const id of relevant(query)) if (kept.size < documents) kept.add(id);
  }
  for (const id of some(ids, ids.length, random)) if (kept.size < documents) kept.add(id);
  return kept;
}

/** About other things, in the same language. */
function othersThan({ name }: EvalSet, sets: readonly EvalSet[]): EvalSet[] {
  return sets.filter((other) => other.name.slice(0, 3) !== name.slice(0, 3) && !isTranslated(other));
}

function isTranslated({ name }: EvalSet): boolean {
  return name.startsWith("xquad");
}

function someTexts({ queries }: EvalSet, most: number, random: SeededRandom): string[] {
  return some(queries, most, random).map(({ text }) => text);
}

function unanswered(text: string, kind: Kind): Question {
  return { text, kind, isRight: () => false };
}

/** In any order. */
function some<T>(all: readonly T[], most: number, random: SeededRandom): T[] {
  const left = [...all];
  return Array.from({ length: Math.min(most, all.length) }, () => left.splice(random.below(left.length), 1)[0]!);
}

function plain(text: string): string {
  return text.replaceAll(/\s+/g, " ");
}

async function resultsOf(server: TestServer, storeId: string, query: string) {
  const page = await json<{ data: { file_id: string; score: number; content: { text: string }[] }[] }>(
    server,
    "POST",
    `/v1/vector_stores/${storeId}/search`,
    { query, max_num_results: JUDGED_RESULTS },
  );
  return page.data.map(({ file_id: file, score, content }) => ({ file, score, text: content[0]?.text ?? "" }));
}
