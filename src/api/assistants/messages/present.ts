/** A kept message as clients see it: the markers of its citations are put into the text here. */
import type { Dialect } from "../../../http/dialect.ts";
import { countCodePoints, unitsOf } from "../../../platform/code-points.ts";
import type { KeptMark, KeptMessagePart } from "../../../storage/thread-items.ts";
import type { MessageRow } from "../../../storage/thread-messages.ts";
import type { Message, MessageCitation, MessageContent } from "./schema.ts";

export interface MessageView {
  dialect: Dialect;
  /** Whether the text has markers where citations stand. */
  markers: boolean;
}

export function showMessage(row: MessageRow, view: MessageView): Message {
  return {
    id: row.id,
    object: "thread.message",
    created_at: row.created_at,
    assistant_id: row.assistant_id,
    thread_id: row.thread_id,
    run_id: row.run_id,
    role: row.role,
    content: row.content.map((part) => showPart(part, row.number, view)),
    attachments: row.attachments,
    metadata: row.metadata,
    status: row.status,
    incomplete_details: row.reason === null ? null : { reason: row.reason },
    completed_at: row.completed_at,
    incomplete_at: row.incomplete_at,
  };
}

function showPart(part: KeptMessagePart, number: number, view: MessageView): MessageContent {
  if (part.type !== "text") return part;
  const pieces = piecesOf(part, number, view);
  const value = pieces.map(({ text }) => text).join("");
  return { type: "text", text: { value, annotations: pieces.flatMap(({ citation }) => citation ?? []) } };
}

/** A piece of a text part: words, or a citation with its marker. Joined they are the text. */
export interface Piece {
  text: string;
  citation: MessageCitation | null;
}

export function piecesOf(
  { text, marks, cuts }: { text: string; marks: readonly KeptMark[]; cuts?: readonly number[] | undefined },
  number: number,
  view: MessageView,
): Piece[] {
  const pieces: Piece[] = [];
  /** Units of `text` that are in the pieces, the code points of these, and of all pieces. */
  let [taken, passed, written] = [0, 0, 0];
  const say = (until: number) => {
    const words = text.slice(taken, until);
    const ends = cuts?.filter((cut) => cut > taken && cut < until).map((cut) => cut - taken);
    taken = until;
    const points = countCodePoints(words);
    passed += points;
    written += points;
    const parts = ends === undefined ? words.split(/(?=\n\n)/) : cutAt(words, ends);
    for (const part of parts) if (part !== "") pieces.push({ text: part, citation: null });
  };
  for (const mark of marks) {
    say(taken + unitsOf(text.slice(taken), mark.index - passed));
    const marker = view.markers ? markerOf(mark, number, view) : "";
    const end = written + countCodePoints(marker);
    pieces.push({ text: marker, citation: citationOf(mark, { text: marker, start: written, end }, view) });
    written = end;
  }
  say(text.length);
  return pieces;
}

function cutAt(words: string, ends: readonly number[]): string[] {
  return [...ends, words.length].map((end, i) => words.slice(ends[i - 1] ?? 0, end));
}

function markerOf({ passage, filename }: KeptMark, number: number, { dialect }: MessageView): string {
  // Programs look for everything up to the bracket, and expect none before.
  const name = filename.replaceAll(/[【】\s]+/gu, " ").trim();
  return `【${number}:${passage}†${dialect === "legacy" ? "source" : name}】`;
}

function citationOf(
  { file_id, quote, chunk_id, page, start_offset, end_offset }: KeptMark,
  { text, start, end }: { text: string; start: number; end: number },
  { dialect }: MessageView,
): MessageCitation {
  const more = dialect === "openai-strict" ? {} : { quote, chunk_id, page, start_offset, end_offset };
  return {
    type: "file_citation",
    text,
    start_index: start,
    end_index: end,
    file_citation: { file_id, ...more },
  };
}
