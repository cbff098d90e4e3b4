import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";
import type { SearchPage, SearchResult } from "../../api/search/schema.ts";
import type { Timing } from "../api.ts";
import { Failure } from "../parts/load.tsx";
import { Bar, Name } from "../parts/text.tsx";
import { addressOf, type Route } from "../route.ts";
import { answerOf, type Judging } from "../state/judging.ts";
import { useKeys } from "../state/use-keys.ts";
import { CodePoints } from "../text/code-points.ts";
import { matchedWords } from "../text/matched.ts";
import { piecesOf } from "../text/pieces.ts";
import { visible } from "../text/visible.ts";
import { WORDS } from "../words.ts";
import { QUALITY_WORDS } from "../words-quality.ts";
import { placeText } from "./chunk-list.tsx";
import { NothingRight } from "./nothing-right.tsx";

const WORD = WORDS.playground;
const JUDGING = QUALITY_WORDS.judging;

export interface HitsProps {
  route: Route;
  page: SearchPage;
  timing: Timing;
  judging: Judging;
}

export function Hits({ route, page, timing, judging }: HitsProps) {
  const list = useRef<HTMLOListElement>(null);
  const judge = (hit: SearchResult, grade: number) => void judging.judge([answerOf(hit, grade)]).catch(() => {});
  useKeys("jkgb", (event) => {
    const links = [...(list.current?.querySelectorAll<HTMLAnchorElement>("a.hit-link") ?? [])];
    const at = links.findIndex((link) => link.closest("li")?.contains(document.activeElement) === true);
    const hit = page.data[at];
    if (event.key === "j") links[Math.min(links.length - 1, at + 1)]?.focus();
    else if (event.key === "k") links[Math.max(0, at - 1)]?.focus();
    else if (hit !== undefined && judging.isAllowed) judge(hit, event.key === "g" ? 1 : 0);
  });
  const server = timing.serverMs === null ? null : String(timing.serverMs);
  const searched = page.search_query.map((query) => visible(query)).join(" · ");
  return (
    <section aria-label={WORD.hits(page.data.length)}>
      <p role="status">
        {WORD.hits(page.data.length)} <span class="quiet">{WORD.took(timing.totalMs.toFixed(0), server)}</span>
      </p>
      {route.query["rewrite"] === "1" && (
        <p class="quiet">
          {WORD.searched}: {searched}
        </p>
      )}
      {page.data.length === 0 && <p>{WORD.none}</p>}
      <ol class="plain hits" ref={list}>
        {page.data.map((hit, i) => (
          <Hit key={hit.chunk_id ?? i} route={route} hit={hit} queries={page.search_query}>
            {judging.isAllowed && (
              <Thumbs hit={hit} grade={judging.gradeOf(hit)} onJudge={(grade) => judge(hit, grade)} />
            )}
          </Hit>
        ))}
      </ol>
      {judging.error !== null && <Failure error={judging.error} />}
      {judging.isAllowed && <NothingRight store={route.store} hits={page.data} judging={judging} />}
    </section>
  );
}

interface ThumbsProps {
  hit: SearchResult;
  grade: number | null;
  onJudge: (grade: number) => void;
}

/** Good or not, as the query's judgment says; pressed is what the server has. */
function Thumbs({ hit, grade, onJudge }: ThumbsProps) {
  const name = visible(hit.filename);
  return (
    <div class="row tight thumbs">
      <button
        type="button"
        aria-pressed={grade !== null && grade > 0}
        aria-label={JUDGING.goodHit(name)}
        onClick={() => onJudge(1)}
      >
        <span aria-hidden="true">▲</span> {JUDGING.good}
      </button>
      <button type="button" aria-pressed={grade === 0} aria-label={JUDGING.badHit(name)} onClick={() => onJudge(0)}>
        <span aria-hidden="true">▼</span> {JUDGING.bad}
      </button>
    </div>
  );
}

interface HitProps {
  route: Route;
  hit: SearchResult;
  queries: readonly string[];
  children: ComponentChildren;
}

function Hit({ route, hit, queries, children }: HitProps) {
  const query = { chunk: String(hit.chunk_index ?? 0) };
  const place = placeText(hit);
  const heading = (hit.heading ?? []).join(" › ");
  return (
    <li class="hit">
      <div class="row spread">
        <a class="hit-link" href={addressOf({ page: "document", store: route.store, file: hit.file_id, query })}>
          <Name of={hit.filename} />
        </a>
        <span class="row tight">
          <Bar part={hit.score} label={hit.filename} />
          <strong>{hit.score.toFixed(3)}</strong>
        </span>
      </div>
      <p class="quiet">
        {[WORDS.document.chunk(hit.chunk_index ?? 0), place].filter((word) => word !== "").join(", ")}
        {heading !== "" && (
          <>
            {" · "}
            <Name of={heading} />
          </>
        )}
      </p>
      <Passage text={hit.content.map((part) => part.text).join("\n")} queries={queries} />
      {hit.scores !== undefined && <Explained scores={hit.scores} />}
      {children}
    </li>
  );
}

/** The passage with the query's words marked. */
export function Passage({ text, queries }: { text: string; queries: readonly string[] }) {
  const points = new CodePoints(text);
  const pieces = piecesOf(points, { start: 0, end: points.length }, { ranges: [], marks: matchedWords(text, queries) });
  return (
    <blockquote class="passage" dir="auto" tabIndex={0}>
      {pieces.map((piece) => {
        const shown = visible(piece.text, { keepLines: true });
        return piece.isMarked ? <mark key={piece.start}>{shown}</mark> : <span key={piece.start}>{shown}</span>;
      })}
    </blockquote>
  );
}

/** Scores count from nothing, each in a measure of its own; bars show what has one between 0 and 1. */
function Explained({ scores }: { scores: NonNullable<SearchResult["scores"]> }) {
  const parts = Object.entries(scores).filter((part): part is [string, number] => part[1] !== null);
  return (
    <details>
      <summary>{WORD.explain}</summary>
      <dl class="scores">
        {parts.map(([name, value]) => (
          <div key={name}>
            <dt>{WORD.scores[name] ?? name}</dt>
            <dd>
              <Bar
                part={name === "keyword" ? value / (value + 8) : value}
                label={WORD.scores[name] ?? name}
                kind="busy"
              />{" "}
              {value.toFixed(4)}
            </dd>
          </div>
        ))}
      </dl>
    </details>
  );
}
