import type { Chunk } from "../../api/chunks/schema.ts";
import { useEffect, useRef } from "preact/hooks";
import { Name } from "../parts/text.tsx";
import { addressOf, type Route } from "../route.ts";
import { WORDS } from "../words.ts";

export interface ChunkListProps {
  route: Route;
  chunks: readonly Chunk[];
  hovered: number | null;
  onHover: (chunk: number | null) => void;
}

const WORD = WORDS.document;

/** Page or lines, in words; empty where neither is known. */
export function placeText(of: Partial<Pick<Chunk, "page" | "page_end" | "line" | "line_end">>): string {
  if (typeof of.page === "number") return WORD.page(of.page, of.page_end ?? of.page);
  return typeof of.line === "number" ? WORD.lines(of.line, of.line_end ?? of.line) : "";
}

export function ChunkList({ route, chunks, hovered, onHover }: ChunkListProps) {
  const asked = route.query["chunk"] ?? "";
  const list = useRef<HTMLOListElement>(null);
  useEffect(() => {
    showInside(list.current, '[aria-current="true"]');
  }, [asked, chunks]);
  return (
    <section aria-label={WORD.chunks} class="chunk-side">
      <h3>{WORD.chunks}</h3>
      <ol class="plain chunks" ref={list} tabIndex={0} aria-label={WORD.chunks}>
        {chunks.map((chunk) => (
          <li
            key={chunk.id}
            class={hovered === chunk.chunk_index ? "hovered" : ""}
            onPointerEnter={() => onHover(chunk.chunk_index)}
            onPointerLeave={() => onHover(null)}
          >
            <a
              href={addressOf({ ...route, query: { chunk: String(chunk.chunk_index) } })}
              aria-current={asked === String(chunk.chunk_index) ? "true" : undefined}
            >
              {WORD.chunk(chunk.chunk_index)}
            </a>{" "}
            <span class="quiet">
              {[WORD.tokens(chunk.tokens), placeText(chunk)].filter((word) => word !== "").join(", ")}
            </span>
            {chunk.heading.length > 0 && (
              <div class="quiet">
                <Name of={chunk.heading.join(" › ")} />
              </div>
            )}
          </li>
        ))}
      </ol>
    </section>
  );
}

/** Scrolls a box, and not the page around it, until the first such element stands in its upper part. */
export function showInside(box: HTMLElement | null, selector: string): void {
  const element = box?.querySelector<HTMLElement>(selector);
  if (!box || !element) return;
  const top = element.getBoundingClientRect().top - box.getBoundingClientRect().top + box.scrollTop;
  box.scrollTop = top - box.clientHeight / 5;
}
