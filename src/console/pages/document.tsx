import { useMemo, useState } from "preact/hooks";
import type { Chunk } from "../../api/chunks/schema.ts";
import type { FileContentPage, VectorStoreFile } from "../../api/attaching/schema.ts";
import { allOf } from "../api.ts";
import { Load } from "../parts/load.tsx";
import { addressOf, numberOf, type Route } from "../route.ts";
import { useConsole } from "../state/console.ts";
import { useLoad } from "../state/use-load.ts";
import { CodePoints } from "../text/code-points.ts";
import type { Range } from "../text/pieces.ts";
import { WORDS } from "../words.ts";
import { ChunkList } from "./chunk-list.tsx";
import { DocumentHeader } from "./document-header.tsx";
import { DocumentText } from "./document-text.tsx";

interface Loaded {
  file: VectorStoreFile;
  text: CodePoints;
  chunks: Chunk[];
}

const WORD = WORDS.document;

/** A file as it was read and cut. Nothing of it is ever taken for anything but text. */
export function DocumentPage({ route }: { route: Route }) {
  const { api } = useConsole();
  const store = `vector_stores/${encodeURIComponent(route.store)}`;
  const path = `${store}/files/${encodeURIComponent(route.file)}`;
  const loaded = useLoad<Loaded>(path, async (signal) => {
    const [file, content, chunks] = await Promise.all([
      api.get<VectorStoreFile>(path, signal),
      api.get<FileContentPage>(`${path}/content`, signal),
      allOf<Chunk>(api, `${store}/chunks?limit=100&order=asc&file_id=${encodeURIComponent(route.file)}`, signal),
    ]);
    const text = new CodePoints(content.data.map((part) => part.text).join(""));
    return { file, text, chunks: chunks.toSorted((a, b) => a.chunk_index - b.chunk_index) };
  });
  return (
    <>
      <p>
        <a href={addressOf({ page: "files", store: route.store })}>← {WORD.back}</a>
      </p>
      <Load of={loaded}>{(data) => <Inside route={route} loaded={data} />}</Load>
    </>
  );
}

function Inside({ route, loaded: { file, text, chunks } }: { route: Route; loaded: Loaded }) {
  const [hovered, setHovered] = useState<number | null>(null);
  const mark = useMemo(() => markOf(route.query, chunks), [route.query, chunks]);
  const isReady = file.status === "completed";
  return (
    <>
      <DocumentHeader file={file} chunks={chunks} />
      {!isReady && <p>{WORD.notReady}</p>}
      {isReady && text.length === 0 && <p>{WORD.noText}</p>}
      {text.length > 0 && (
        <div class="document">
          <DocumentText text={text} chunks={chunks} mark={mark} hovered={hovered} onHover={setHovered} />
          <ChunkList route={route} chunks={chunks} hovered={hovered} onHover={setHovered} />
        </div>
      )}
    </>
  );
}

/** The passage that the address names: by its chunk, or by its ends. */
function markOf(query: Route["query"], chunks: readonly Chunk[]): Range | null {
  const [start, end] = [numberOf(query["start"]), numberOf(query["end"])];
  if (start !== null && end !== null && end > start) return { start, end };
  const index = numberOf(query["chunk"]);
  const chunk = index === null ? undefined : chunks.find(({ chunk_index: at }) => at === index);
  return chunk === undefined ? null : { start: chunk.start_offset, end: chunk.end_offset };
}
