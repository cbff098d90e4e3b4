import { useEffect, useRef } from "preact/hooks";
import type { SearchPage, SearchResult } from "../../api/search/schema.ts";
import type { Timing } from "../api.ts";
import { isTyping } from "../parts/fields.tsx";
import { Bar, Name } from "../parts/text.tsx";
import { addressOf, type Route } from "../route.ts";
import { CodePoints } from "../text/code-points.ts";
import { matchedWords } from "../text/matched.ts";
import { piecesOf } from "../text/pieces.ts";
import { visible } from "../text/visible.ts";
import { WORDS } from "../words.ts";
import { placeText } from "./chunk-list.tsx";

const WORD = WORDS.playground;

export function Hits({ route, page, timing }: { route: Route; page: SearchPage; timing: Timing }) {
  const list = useRef<HTMLOListElement>(null);
  useEffect(() => {
    const move = (event: KeyboardEvent) => {
      if ((event.key !== "j" && event.key !== "k") || isTyping(event)) return;
      const links = [...(list.current?.querySelectorAll<HTMLAnchorElement>("a.hit-link") ?? [])];
      const at = links.findIndex((link) => link === document.activeElement);
      links[event.key === "j" ? Math.min(links.length - 1, at + 1) : Math.max(0, at - 1)]?.focus();
    };
    addEventListener("keydown", move);
    return () => removeEventListener("keydown", move);
  }, []);
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
          <Hit key={hit.chunk_id ?? i} route={route} hit={hit} queries={page.search_query} />
        ))}
      </ol>
    </section>
  );
}

function Hit({ route, hit, queries }: { route: Route; hit: SearchResult; queries: readonly string[] }) {
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
