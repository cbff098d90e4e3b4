import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Chunk } from "../../api/chunks/schema.ts";
import { Field } from "../parts/fields.tsx";
import type { CodePoints } from "../text/code-points.ts";
import { numberText } from "../text/format.ts";
import { type Piece, piecesOf, type Range, windowAround } from "../text/pieces.ts";
import { visible } from "../text/visible.ts";
import { WORDS } from "../words.ts";
import { showInside } from "./chunk-list.tsx";

export interface DocumentTextProps {
  text: CodePoints;
  chunks: readonly Chunk[];
  mark: Range | null;
  /** `chunk_index` of the one that is pointed at. */
  hovered: number | null;
  onHover: (chunk: number | null) => void;
}

/** Code points that are in the page at once. */
const WINDOW = 200_000;
const WORD = WORDS.document;

export function DocumentText({ text, chunks, mark, hovered, onHover }: DocumentTextProps) {
  const [found, setFound] = useState<Range | null>(null);
  const shownMark = found ?? mark;
  const [window, setWindow] = useState(() => windowAround(mark?.start ?? 0, text.length, WINDOW));
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => setFound(null), [mark]);
  useEffect(() => {
    if (shownMark === null) return;
    if (shownMark.start < window.start || shownMark.end > window.end)
      setWindow(windowAround(shownMark.start, text.length, WINDOW));
  }, [shownMark, text]);
  useEffect(() => {
    showInside(box.current, "mark");
  }, [shownMark, window]);
  const ranges = useMemo(() => chunks.map(({ start_offset: start, end_offset: end }) => ({ start, end })), [chunks]);
  const pieces = useMemo(
    () => piecesOf(text, window, { ranges, marks: shownMark === null ? [] : [shownMark] }),
    [text, window, ranges, shownMark],
  );
  const move = (start: number) => setWindow({ start, end: Math.min(text.length, start + WINDOW) });
  return (
    <div class="text-side">
      <Find text={text} onFound={setFound} />
      {(window.start > 0 || window.end < text.length) && (
        <p class="quiet">
          {WORD.window(numberText(window.start + 1), numberText(window.end), numberText(text.length))}
        </p>
      )}
      {window.start > 0 && (
        <button type="button" onClick={() => move(Math.max(0, window.start - WINDOW))}>
          {WORD.before}
        </button>
      )}
      <div class="text" ref={box} role="region" aria-label={WORD.text} tabIndex={0} dir="auto">
        {pieces.map((piece) => (
          <PieceText key={piece.start} piece={piece} chunks={chunks} hovered={hovered} onHover={onHover} />
        ))}
      </div>
      {window.end < text.length && (
        <button type="button" onClick={() => move(window.end)}>
          {WORD.after}
        </button>
      )}
    </div>
  );
}

interface PieceTextProps {
  piece: Piece;
  chunks: readonly Chunk[];
  hovered: number | null;
  onHover: (chunk: number | null) => void;
}

function PieceText({ piece, chunks, hovered, onHover }: PieceTextProps) {
  const covering = piece.covers.map((at) => chunks[at]?.chunk_index ?? 0);
  const begins = piece.covers.map((at) => chunks[at]).filter((chunk) => chunk?.start_offset === piece.start);
  const kinds = [
    "piece",
    piece.covers.length > 1 ? "overlap" : "",
    hovered !== null && covering.includes(hovered) ? "hovered" : "",
  ];
  const text = visible(piece.text, { keepLines: true });
  return (
    <>
      {begins.map((chunk) => (
        <span key={chunk?.chunk_index} class="border" aria-hidden="true" data-number={`#${chunk?.chunk_index ?? 0}`} />
      ))}
      <span
        class={kinds.filter((kind) => kind !== "").join(" ")}
        onPointerEnter={() => onHover(covering.at(-1) ?? null)}
        onPointerLeave={() => onHover(null)}
      >
        {piece.isMarked ? <mark>{text}</mark> : text}
      </span>
    </>
  );
}

/** Places of one search at most: beyond them a number says nothing. */
const MOST_FOUND = 10_000;

function Find({ text, onFound }: { text: CodePoints; onFound: (range: Range | null) => void }) {
  const [words, setWords] = useState("");
  const [at, setAt] = useState(0);
  const places = useMemo(() => placesOf(text, words), [text, words]);
  const show = (index: number, list: readonly Range[]) => {
    setAt(index);
    onFound(list[index] ?? null);
  };
  const step = (by: number) => show((at + by + places.length) % Math.max(1, places.length), places);
  return (
    <form
      class="row fields"
      onSubmit={(event) => {
        event.preventDefault();
        step(1);
      }}
    >
      <Field label={WORD.find}>
        <input
          type="search"
          value={words}
          onInput={(event) => {
            const next = event.currentTarget.value;
            setWords(next);
            show(0, placesOf(text, next));
          }}
        />
      </Field>
      {words !== "" && (
        <span role="status">{places.length === 0 ? WORD.notFound : WORD.found(at + 1, places.length)}</span>
      )}
      {places.length > 1 && (
        <>
          <button type="button" onClick={() => step(-1)}>
            {WORD.previous}
          </button>
          <button type="submit">{WORD.next}</button>
        </>
      )}
    </form>
  );
}

/** Where the words stand, whatever their case. */
function placesOf(text: CodePoints, words: string): Range[] {
  if (words.trim() === "") return [];
  const pattern = new RegExp(words.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"), "giu");
  const found: Range[] = [];
  for (const { index, 0: match } of text.text.matchAll(pattern)) {
    const start = text.pointOf(index);
    found.push({ start, end: start + [...match].length });
    if (found.length === MOST_FOUND) break;
  }
  return found;
}
