import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

export interface VirtualRowsProps<T> {
  rows: readonly T[];
  label: string;
  /** Rows there are in all, loaded or not. */
  total: number;
  head: ComponentChildren;
  row: (row: T) => ComponentChildren;
  /** The end of what is loaded is near. */
  onEnd: () => void;
}

/** Pixels of a row, and of the card that it becomes where there is no room for columns. */
const ROW_HEIGHT = 44;
const CARD_HEIGHT = 148;
const NARROW = "(max-width: 44rem)";
/** Rows beyond the visible ones. */
const BESIDE = 12;

/** A table of any length of which only what is seen is in the page. All rows are equally high. */
export function VirtualRows<T>({ rows, label, total, head, row, onEnd }: VirtualRowsProps<T>) {
  const scroller = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 800 });
  const height = useNarrow() ? CARD_HEIGHT : ROW_HEIGHT;
  useEffect(() => {
    const element = scroller.current;
    if (element === null) return;
    const look = () => setView({ top: element.scrollTop, height: element.clientHeight });
    const observer = new ResizeObserver(look);
    observer.observe(element);
    element.addEventListener("scroll", look, { passive: true });
    return () => {
      observer.disconnect();
      element.removeEventListener("scroll", look);
    };
  }, []);
  // A list that became shorter is still scrolled to where it is no more.
  const top = Math.min(view.top, Math.max(0, rows.length * height - view.height));
  const first = Math.max(0, Math.floor(top / height) - BESIDE);
  const end = Math.min(rows.length, Math.ceil((top + view.height) / height) + BESIDE);
  useEffect(() => {
    if (end >= rows.length) onEnd();
  }, [end, rows.length]);
  return (
    <div class="scroller" ref={scroller} role="region" aria-label={label} tabIndex={0}>
      <table class="cards virtual" aria-rowcount={total + 1}>
        {head}
        <tbody>
          <Space height={first * height} />
          {rows.slice(first, end).map(row)}
          <Space height={(rows.length - end) * height} />
        </tbody>
      </table>
    </div>
  );
}

function Space({ height }: { height: number }) {
  return height > 0 ? <tr aria-hidden="true" class="space" style={{ height: `${height}px` }} /> : null;
}

function useNarrow(): boolean {
  const [isNarrow, setNarrow] = useState(() => matchMedia(NARROW).matches);
  useEffect(() => {
    const query = matchMedia(NARROW);
    const read = () => setNarrow(query.matches);
    query.addEventListener("change", read);
    return () => query.removeEventListener("change", read);
  }, []);
  return isNarrow;
}
