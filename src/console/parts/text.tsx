import { visible } from "../text/visible.ts";
import { timeText, utcText } from "../text/format.ts";

/** A name from elsewhere: of a file, a store, a model. It cannot turn the text around it. */
export function Name({ of }: { of: string }) {
  return <bdi class="name">{visible(of)}</bdi>;
}

export function Time({ at }: { at: number | null | undefined }) {
  if (at === null || at === undefined) return <span>–</span>;
  return (
    <time dateTime={new Date(at * 1000).toISOString()} title={utcText(at)}>
      {timeText(at)}
    </time>
  );
}

/** A state as a word with a sign beside it: colour is never all there is. */
export function State({ kind, word }: { kind: "good" | "busy" | "bad" | "off"; word: string }) {
  const signs = { good: "●", busy: "◐", bad: "▲", off: "○" };
  return (
    <span class={`state ${kind}`}>
      <span aria-hidden="true">{signs[kind]}</span> {word}
    </span>
  );
}

export function stateKind(status: string): "good" | "busy" | "bad" | "off" {
  if (status === "completed" || status === "active") return "good";
  if (status === "in_progress" || status === "indexing") return "busy";
  return status === "failed" || status === "suspended" ? "bad" : "off";
}

/** How far something is, from 0 to 1. */
export function Bar({ part, label, kind = "good" }: { part: number; label: string; kind?: "good" | "busy" | "bad" }) {
  const percent = Math.round(Math.min(1, Math.max(0, part)) * 100);
  return (
    <span class={`bar ${kind}`} role="img" aria-label={`${label}: ${percent} %`}>
      <span class="bar-fill" style={{ width: `${percent}%` }} />
    </span>
  );
}
