import type { Migration } from "../api/migrations/schema.ts";
import { durationText, numberText, percentText } from "./text/format.ts";

type Status = Migration["status"];
type Source = NonNullable<Migration["report"]>["source"];

/** The words of a store's model: what runs, and how it is changed. */
export const MODEL_WORDS = {
  runs: "What runs",
  model: "Model",
  askedAs: "Asked for as",
  dimensions: "Dimensions",
  chunks: "Chunks",
  vectors: "Vectors",
  search: "Searched by",
  searches: { exact: "comparing every vector", hnsw: "a graph" } as Readonly<Record<string, string>>,
  chunking: "Chunking",
  chunkingOf: (size: number, overlap: number) =>
    `${numberText(size)} tokens, ${numberText(overlap)} of them shared with the next`,
  chunkingFiles: (count: number) => (count === 1 ? "1 file" : `${numberText(count)} files`),
  chunkingSeen: (seen: number, total: number) => `of the ${numberText(seen)} newest of ${numberText(total)} files`,
  chunkingOther: "cut elsewhere",
  change: "Change model or chunking",
  unsearchable: "There is no index yet: add a file first.",
  liveSince: "Live since",
  rollBackUntil: "It can be rolled back until",
  rollBack: "Roll back",
  rollingBack: "Going back…",
  rolledBack: "The index before answers again.",

  steps: { choose: "Choose", cost: "Cost", gate: "Gate" } as Readonly<Record<string, string>>,
  wizard: "Another model or chunking",
  step: (at: number, of: number, word: string) => `Step ${at} of ${of}: ${word}`,
  back: "Back",
  choose: {
    model: "Model",
    option: (name: string, dimensions: number | null, where: string) =>
      [name, dimensions === null ? "" : `${dimensions} dimensions`, where].filter((word) => word !== "").join(", "),
    where: { bundled: "built in", local: "on this server", remote: "at a provider" } as Readonly<
      Record<string, string>
    >,
    current: "runs now",
    dimensions: "Dimensions (empty: the model's own)",
    remote: "The texts of this store are sent to that provider: a few of them at the next step, all when it is built.",
    chunking: "Chunks",
    keep: "as they are",
    cut: "cut anew",
    size: "Tokens of a chunk",
    overlap: "Tokens shared with the next",
    badOverlap: "At most half of a chunk can be shared.",
    same: "That is what runs now. Choose another model, other dimensions or other chunks.",
    next: "What will it cost?",
  },
  cost: {
    measuring: "Embedding a few chunks to see how long they take…",
    chunks: "Chunks",
    tokens: "Tokens",
    memory: "Memory and disk",
    time: "Time",
    money: "Price",
    free: "nothing: it runs here",
    unknownPrice: "not known here: see the provider's list",
    dollars: (amount: number) => (amount < 0.01 ? "less than $0.01" : `about $${amount.toFixed(2)}`),
    about: (text: string) => `about ${text}`,
    unknown: "cannot be told: the model did not answer",
    help: (sampled: number) =>
      `Estimated from ${sampled} chunks that were embedded just now. The store answers all the while; the old index stays for a way back.`,
    next: "Set the gate",
  },
  gate: {
    help: "What must hold for the new index to be as good as the old one. Where something does not, it waits for your decision.",
    overlap: "Same results",
    overlapIs: (part: number) =>
      part === 0
        ? "Not asked: it may find quite other passages."
        : `At least ${percentText(part)} of the ten best results must stay among the ten best.`,
    recall: "Finds what is right",
    recallIs: (part: number) =>
      part === 0
        ? "Not asked: it may miss what the judged queries should find."
        : `At least ${percentText(part)} of what the judged queries should find must be found. Without judged queries: so many passages must find themselves.`,
    latency: "Speed",
    latencyIs: (ratio: number | null) =>
      ratio === null
        ? "Not asked: a search may take as long as it likes."
        : ratio === 1
          ? "Of 100 searches, the 95 fastest must not take longer than now."
          : `Of 100 searches, the 95 fastest may take at most ${ratio} times as long as now.`,
    afterwards: "When it is built",
    stop: "stop, and let me look at the report",
    live: "go live by itself if the gate is passed",
    retain: "Days in which it can be rolled back",
    start: "Start",
  },

  progress: {
    title: (name: string, dimensions: number) => `Moving to ${name}, ${dimensions} dimensions`,
    statuses: {
      queued: "waiting for its turn",
      building: "building the new index",
      catching_up: "adding files that came meanwhile",
      verifying: "comparing both indexes",
      ready: "ready, waiting for your decision",
      completed: "went live",
      rolled_back: "rolled back",
      cancelled: "cancelled",
      failed: "failed",
      paused: "paused, goes on by itself",
    } as Readonly<Record<Status, string>>,
    done: (done: number, total: number) => `${numberText(done)} of ${numberText(total)} chunks`,
    rate: (perSecond: number) => `${numberText(perSecond)} chunks a second`,
    left: (seconds: number) => `${durationText(seconds)} left`,
    paid: (amount: number) => `$${amount.toFixed(2)} so far`,
    pause: "Why it is paused",
    failure: "Why it failed",
    cancel: "Cancel the migration",
    cancelHelp: "What was built is thrown away. The store goes on as it is.",
    cancelling: "Cancelling…",
  },

  report: {
    title: "Report",
    of: (queries: number, source: Source) =>
      `Over ${queries === 1 ? "1 query" : `${numberText(queries)} queries`}, ${
        {
          judged: "the judged ones of this store",
          log: "the newest of its log",
          generated: "most of them made from its passages, because few were logged",
        }[source]
      }.`,
    none: "There is no report: it ended before both indexes were compared.",
    gates: {
      passed: "The gate is passed.",
      missed: "The gate is missed.",
      none: "No gate was set.",
    } as Readonly<Record<string, string>>,
    measure: "Measure",
    now: "Before",
    next: "After",
    rows: {
      chunks: "Chunks",
      ndcg: "nDCG at 10",
      recall: "Recall at 10",
      p50: "Half of the searches within",
      p95: "95 % of the searches within",
    },
    ms: (ms: number) => `${ms.toFixed(ms < 10 ? 2 : 0)} ms`,
    overlap: "Same results",
    overlapHelp: "of the ten best stay among the ten best",
    correlation: "Same order",
    correlationHelp: "1: what both find comes in the same order; 0: in any",
    self: "Finds itself",
    selfHelp: "of some passages are the best answer to themselves",
    behind: (files: number) =>
      `${files === 1 ? "1 file has" : `${numberText(files)} files have`} come since; the new index gets them when it goes live.`,
    promote: "Go live",
    promoteAnyway: "Go live although the gate is missed",
    promoteHelp: "Searches are answered by the new index from then on. The old one stays for a way back.",
    promoting: "Going live…",
    discard: "Discard",
    discardTitle: "Discard the new index?",
    compare: "Compare in the playground",
  },

  changes: {
    title: "Queries that changed most",
    help: "By vectors alone, which is what a migration changes.",
    empty: "Every query finds the same in the same order.",
    overlap: (part: number) => `${percentText(part)} the same`,
    before: "Before",
    after: "After",
    nothing: "Nothing that is still there.",
    compare: "Side by side",
    isNew: "new",
    isLost: "lost",
  },

  history: {
    title: "Migrations",
    empty: "This store has had this model and these chunks from its beginning.",
    when: "Asked for",
    from: "From",
    to: "To",
    state: "State",
    report: "Report",
    show: "Show the report",
    hide: "Hide",
    identity: (name: string, dimensions: number) => `${name}, ${dimensions} dimensions`,
  },
} as const;

/** The words of two searches beside one another. */
export const COMPARE_WORDS = {
  label: "Compare",
  kinds: { "": "one search", settings: "two settings" } as Readonly<Record<string, string>>,
  against: (name: string) => `the live index and ${name}`,
  gone: "That migration is not ready any more, so its index cannot be searched. Compare something else.",
  second: "Settings on the right",
  left: "Left",
  right: "Right",
  live: "Live index",
  candidate: "Index of the migration",
  column: (word: string, count: number) => `${word}: ${count === 1 ? "1 hit" : `${count} hits`}`,
  summary: ({ same, moved, isNew, lost }: { same: number; moved: number; isNew: number; lost: number }) =>
    `${same} in the same place, ${moved} moved, ${lost} only on the left, ${isNew} only on the right`,
  inPlace: "same place",
  up: (by: number, from: number) => `▲ up ${by}, was ${from}`,
  down: (by: number, from: number) => `▼ down ${by}, was ${from}`,
  to: (rank: number) => `now ${rank}`,
  isNew: "＋ new",
  lost: "✕ lost",
  rank: (rank: number) => `${rank}.`,
  keys: "Keys: / query, j and k move, h and l change sides, Enter opens.",
} as const;
