/**
 * The table of rooms: what each is for, on which floor it stands, which rooms it may import. The lint rules of every room
 * are made from it (lint.ts), and the architecture test holds it against the imports that are there. Every arrow goes
 * down: a room imports rooms of lower floors only.
 */
export interface Room {
  name: string;
  floor: number;
  /** What it does, in a sentence. */
  duty: string;
  /** Rooms it may import; files of the hall on floor 0 may be imported from anywhere. */
  uses: readonly string[];
  /** Modules of any kind that it may not import. */
  refuses?: { pattern: string; message: string };
}

export const ROOMS: readonly Room[] = [
  {
    name: "cli",
    floor: 11,
    duty: "The verbs of the command line.",
    uses: ["app", "config", "models", "chat", "storage", "index", "embed", "workers", "platform"],
  },
  {
    name: "app",
    floor: 10,
    duty: "Composition: builds every object in order, and tears it down in reverse.",
    uses: [
      "jobs",
      "config",
      "mcp",
      "api",
      "answers",
      "search",
      "models",
      "chat",
      "workers",
      "http",
      "storage",
      "index",
      "embed",
      "platform",
      "parse",
    ],
  },
  {
    name: "jobs",
    floor: 9,
    duty: "What happens without a request: ingest, migrations, index building, evaluations, answers, deletions.",
    uses: ["answers", "search", "models", "workers", "storage", "index", "embed", "platform"],
  },
  {
    name: "console",
    floor: 9,
    duty: "The web console: what runs in a browser. Of other rooms it has the types of the API's schemas only.",
    uses: ["api"],
    refuses: { pattern: "^(bun|node):", message: "The console runs in a browser." },
  },
  {
    name: "mcp",
    floor: 9,
    duty: "The Model Context Protocol: tools over the services of the API.",
    uses: ["api", "search", "http", "platform"],
  },
  {
    name: "config",
    floor: 9,
    duty: "One table of settings: flag, environment, file, help and documentation.",
    uses: ["answers", "models", "chat", "http", "platform"],
  },
  {
    name: "api",
    floor: 8,
    duty: "The features of the API, a folder for each noun of the URL.",
    uses: ["answers", "search", "models", "chat", "http", "storage", "index", "embed", "chunk", "platform"],
  },
  {
    name: "answers",
    floor: 7,
    duty: "From a question and the passages found for it to an answer that quotes and cites them.",
    uses: ["search", "chat", "storage", "index", "chunk", "platform"],
  },
  {
    name: "search",
    floor: 6,
    duty: "From a typed request to ranked hits, for the API and for jobs.",
    uses: ["models", "storage", "index", "embed", "platform"],
  },
  {
    name: "models",
    floor: 5,
    duty: "What the name of a model stands for, and the life of the models that run here.",
    uses: ["workers", "chat", "embed", "platform"],
  },
  {
    name: "workers",
    floor: 4,
    duty: "The boundary between the server and its workers, and nothing else.",
    uses: ["index", "embed", "parse", "platform"],
  },
  {
    name: "http",
    floor: 4,
    duty: "The plumbing of requests and answers: operations, validation, errors, bodies, pages.",
    uses: ["storage", "platform", "parse"],
  },
  {
    name: "chat",
    floor: 4,
    duty: "Calls of language models at the operator's servers, and which there are.",
    uses: ["embed", "platform"],
  },
  { name: "index", floor: 3, duty: "Vectors and keywords in memory and on disk, as caches.", uses: ["platform"] },
  {
    name: "embed",
    floor: 3,
    duty: "Vectors and reranker scores of texts, by local models and by providers.",
    uses: ["platform"],
  },
  { name: "storage", floor: 3, duty: "SQL and files: the only truth.", uses: ["platform"] },
  { name: "chunk", floor: 2, duty: "From a document's text to passages.", uses: ["parse"] },
  { name: "platform", floor: 2, duty: "Clocks, ids, files, logs, threads: no business words.", uses: [] },
  {
    name: "parse",
    floor: 1,
    duty: "From a file's bytes to text with its structure, in a wing for each family.",
    uses: [],
  },
];

/**
 * Folders of `api/` that are no feature but serve several; files that stand beside the folders do too. A feature imports
 * these and itself, never another feature, and these import no feature.
 */
export const SHARED_BY_FEATURES = ["presenters", "attaching", "following", "stored-files"] as const;

/** Presenters know the objects of every feature by their types. */
export const KNOWS_EVERY_SCHEMA = "api/presenters/presenter.ts";

/** Files beside the rooms. `floor` 0: imported from anywhere, importing nothing. */
export const HALL: readonly { file: string; floor: 0 | 12; duty: string }[] = [
  { file: "main.ts", floor: 12, duty: "Entry of the executable." },
  { file: "parse-entry.ts", floor: 12, duty: "Entry of the parse workers." },
  { file: "text-entry.ts", floor: 12, duty: "Entry of the worker that analyses texts of requests." },
  { file: "ocr-entry.ts", floor: 12, duty: "Entry of the workers that read scans." },
  { file: "image-entry.ts", floor: 12, duty: "Entry of the process that writes images of indexes." },
  { file: "native-entry.ts", floor: 12, duty: "Entry of the workers that hold addons." },
  { file: "errors.ts", floor: 0, duty: "Everything that can go wrong in a way a client is told about." },
  // Here and not in a room: parse, which imports no room, normalises text as index, embed, http and cli do.
  { file: "stream-safe.ts", floor: 0, duty: "Unicode normalisation in linear time." },
  { file: "worker-urls.ts", floor: 0, duty: "Addresses of the worker entries." },
];

/** Rooms that are no part of the program. */
export const OUTSIDE = ["build"] as const;

/** Packages that only some may import. `files` are paths below src; a room's name stands for all of its files. */
export const PACKAGES: readonly { pattern: string; files: readonly string[]; message: string }[] = [
  { pattern: "^bun:sqlite$", files: ["storage/**", "platform/data-dir.ts"], message: "Only storage speaks SQL." },
  {
    pattern: "^(hnswlib-node|onnxruntime-node)$",
    files: ["platform/**", "build/**"],
    message: "Only platform/native.ts loads an addon.",
  },
  {
    pattern: "^(elysia|@elysiajs/.*)$",
    files: ["http/app.ts", "http/plugins/**", "http/docs/**", "api/**/routes.ts", "api/**/schema.ts"],
    message: "Only the HTTP room's application, its plug-ins and routes import elysia.",
  },
  {
    pattern: "^@modelcontextprotocol/.*$",
    files: ["mcp/protocol.ts"],
    message: "Only one file knows the protocol's library.",
  },
  { pattern: "^preact(/.*)?$", files: ["console/**"], message: "Only the console is made of preact." },
  {
    pattern: "/native(-embedded)?\\.ts$",
    files: [
      "platform/**",
      "workers/**",
      "native-entry.ts",
      "image-entry.ts",
      "app/**",
      "jobs/**",
      "models/**",
      "embed/**",
      "index/**",
      "cli/**",
      "build/**",
    ],
    message: "Parse workers are pure JavaScript.",
  },
];

/**
 * Functions that may be longer than the rest, because they are tables: routes with their documentation, settings. By
 * file, below src.
 */
export const TABLES: readonly string[] = ["api/**/routes.ts", "api/admin/*-routes.ts"];
