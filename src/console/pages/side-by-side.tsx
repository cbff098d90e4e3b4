import type { ComponentChildren, RefObject } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { SearchPage, SearchResult } from "../../api/search/schema.ts";
import { countsOf, joined, type Joined } from "../compare.ts";
import { Name } from "../parts/text.tsx";
import { addressOf } from "../route.ts";
import { useKeys } from "../state/use-keys.ts";
import { COMPARE_WORDS as WORD } from "../words-model.ts";
import { WORDS } from "../words.ts";
import { placeText } from "./chunk-list.tsx";
import { Passage } from "./hits.tsx";

export interface SideBySideProps {
  store: string;
  left: SearchPage;
  right: SearchPage;
  /** What each side is. */
  names: readonly [left: string, right: string];
}

type Side = "left" | "right";

/** Two lists of hits, with what is the same joined, what moved, and what only one of them has. */
export function SideBySide({ store, left, right, names }: SideBySideProps) {
  const box = useRef<HTMLDivElement | null>(null);
  const [pointed, setPointed] = useState<{ side: Side; at: number } | null>(null);
  useHitKeys(box);
  const pairs = joined(left.data, right.data);
  const isPaired = (side: Side, at: number) =>
    pointed !== null &&
    (pointed.side === side ? pointed.at === at : pairs[side][at] === pointed.at && pairs[side][at] !== null);
  const column = (side: Side, page: SearchPage, name: string) => (
    <section aria-label={name} data-side={side}>
      <h2>{WORD.column(name, page.data.length)}</h2>
      {page.data.length === 0 && <p>{WORDS.playground.none}</p>}
      <ol class="plain">
        {page.data.map((hit, at) => (
          <li
            key={hit.chunk_id ?? at}
            class={`hit compact${isPaired(side, at) ? " paired" : ""}`}
            onMouseEnter={() => setPointed({ side, at })}
            onMouseLeave={() => setPointed(null)}
            onFocusCapture={() => setPointed({ side, at })}
          >
            <ComparedHit store={store} hit={hit} queries={page.search_query} rank={at + 1}>
              <Moved side={side} at={at} other={pairs[side][at] ?? null} />
            </ComparedHit>
          </li>
        ))}
      </ol>
    </section>
  );
  return (
    <>
      <p role="status">{WORD.summary(countsOf(pairs))}</p>
      <div class="compared" ref={box}>
        {column("left", left, names[0])}
        <Lines box={box} pairs={pairs} />
        {column("right", right, names[1])}
      </div>
      <p class="quiet">{WORD.keys}</p>
    </>
  );
}

interface ComparedHitProps {
  store: string;
  hit: SearchResult;
  queries: readonly string[];
  rank: number;
  children: ComponentChildren;
}

function ComparedHit({ store, hit, queries, rank, children }: ComparedHitProps) {
  // By its place: the two sides may number chunks differently.
  const query = { start: String(hit.start_offset ?? 0), end: String(hit.end_offset ?? 0) };
  return (
    <>
      <div class="row spread">
        <span>
          {WORD.rank(rank)}{" "}
          <a class="hit-link" href={addressOf({ page: "document", store, file: hit.file_id, query })}>
            <Name of={hit.filename} />
          </a>
        </span>
        <strong>{hit.score.toFixed(3)}</strong>
      </div>
      <div class="row spread">
        <span class="quiet">{placeText(hit)}</span>
        {children}
      </div>
      <Passage text={hit.content.map((part) => part.text).join("\n")} queries={queries} />
    </>
  );
}

/** Where a hit stands on the other side, in words. */
function Moved({ side, at, other }: { side: Side; at: number; other: number | null }) {
  if (other === null) return <span class={`move ${side}`}>{side === "left" ? WORD.lost : WORD.isNew}</span>;
  if (other === at) return <span class="quiet">{WORD.inPlace}</span>;
  if (side === "left") return <span class="quiet">{WORD.to(other + 1)}</span>;
  const by = Math.abs(other - at);
  return <span class="move">{at < other ? WORD.up(by, other + 1) : WORD.down(by, other + 1)}</span>;
}

interface Line {
  from: number;
  to: number;
  isMoved: boolean;
}

const GAP = 48;

/** From each hit on the left to the same one on the right; the words beside them say it too. */
function Lines({ box, pairs }: { box: RefObject<HTMLDivElement | null>; pairs: Joined }) {
  const [lines, setLines] = useState<{ height: number; all: Line[] }>({ height: 0, all: [] });
  const mark = JSON.stringify(pairs);
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return;
    const measure = () => {
      const top = element.getBoundingClientRect().top;
      const middles = (side: Side) =>
        [...element.querySelectorAll(`[data-side="${side}"] li.compact`)].map((item) => {
          const { top: itemTop, height } = item.getBoundingClientRect();
          return itemTop - top + Math.min(height / 2, GAP);
        });
      const [left, right] = [middles("left"), middles("right")];
      const all = pairs.left.flatMap((to, from) =>
        to === null ? [] : [{ from: left[from] ?? 0, to: right[to] ?? 0, isMoved: from !== to }],
      );
      setLines({ height: element.clientHeight, all });
    };
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, [mark]);
  return (
    <svg class="lines" aria-hidden="true" width={GAP} height={lines.height}>
      {lines.all.map(({ from, to, isMoved }) => (
        <path
          key={`${from} ${to}`}
          class={isMoved ? "moved" : ""}
          d={`M0 ${from} C${GAP / 2} ${from} ${GAP / 2} ${to} ${GAP} ${to}`}
        />
      ))}
    </svg>
  );
}

/** `j` and `k` go down and up a side, `h` and `l` to the other one. */
function useHitKeys(box: RefObject<HTMLDivElement | null>): void {
  useKeys("jkhl", ({ key }) => {
    const links = (side: Side) => [
      ...(box.current?.querySelectorAll<HTMLAnchorElement>(`[data-side="${side}"] a.hit-link`) ?? []),
    ];
    const [left, right] = [links("left"), links("right")];
    const isRight = right.some((link) => link === document.activeElement);
    const own = isRight ? right : left;
    const at = own.findIndex((link) => link === document.activeElement);
    const wanted = {
      j: own[Math.min(own.length - 1, at + 1)],
      k: own[Math.max(0, at - 1)],
      h: left[Math.min(left.length - 1, Math.max(0, at))],
      l: right[Math.min(right.length - 1, Math.max(0, at))],
    }[key];
    wanted?.focus();
  });
}
