import { Type } from "@sinclair/typebox";
import type { Static } from "@sinclair/typebox";
import type { VectorStoreFile } from "../api/attaching/schema.ts";
import type { FilePart, StoreFilesService } from "../api/vector-store-files/service.ts";
import { AppError } from "../errors.ts";
import { nextTurn } from "../platform/next-turn.ts";
import { type PassageId, passageId, readPassageId } from "./passage-id.ts";
import { askingFor, StoreArgument, storeOf, type Stores } from "./stores.ts";
import { type Tool, type ToolCall, ToolError } from "./tool.ts";

/** Characters (code points) of text in one answer at most. */
const MOST_CHARACTERS = 60_000;
/** Where the parts of a longer text begin: they overlap, so that a passage at the end of one stands whole in one. */
const PART_STEP = 56_000;
const PAGE = 50;
const MAX_NAME = 256;
/** Pages that are looked through for a file's name. */
const MOST_PAGES = 20;

const Fetch = Type.Object(
  { id: Type.String({ minLength: 1, maxLength: 512, description: "An id that search or search_store gave." }) },
  { additionalProperties: false },
);
const Document = Type.Object({
  id: Type.String(),
  title: Type.String(),
  text: Type.String(),
  url: Type.String(),
  metadata: Type.Optional(
    Type.Object(
      {
        part: Type.Optional(Type.String({ description: "Which part of the text this is, as in 2/7." })),
        next_id: Type.Optional(Type.String({ description: "The id of the part after this one." })),
        previous_id: Type.Optional(Type.String()),
      },
      { description: "Where the text is longer than what is given." },
    ),
  ),
});

const listMembers = {
  name_contains: Type.Optional(Type.String({ minLength: 1, maxLength: MAX_NAME })),
  cursor: Type.Optional(Type.String({ maxLength: MAX_NAME, description: "`next` of the page before." })),
};
const ListPinned = Type.Object(listMembers, { additionalProperties: false });
const ListFiles = Type.Object({ store: StoreArgument, ...listMembers }, { additionalProperties: false });
const FileList = Type.Object({
  files: Type.Array(
    Type.Object({
      id: Type.String(),
      name: Type.String(),
      bytes: Type.Integer(),
      attributes: Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean()])),
      status: Type.String({ description: "Only `completed` files are found and can be read." }),
    }),
  ),
  next: Type.Optional(Type.String({ description: "There are more: pass it as `cursor`." })),
});

const readMembers = {
  file: Type.String({ minLength: 1, maxLength: MAX_NAME, description: "The file's id or name." }),
  from: Type.Optional(Type.Integer({ minimum: 0, default: 0, description: "The character to begin at." })),
  characters: Type.Optional(Type.Integer({ minimum: 1, maximum: MOST_CHARACTERS, default: MOST_CHARACTERS })),
};
const ReadPinned = Type.Object(readMembers, { additionalProperties: false });
const ReadFile = Type.Object({ store: StoreArgument, ...readMembers }, { additionalProperties: false });
const TextPart = Type.Object({
  text: Type.String(),
  from: Type.Integer(),
  to: Type.Integer(),
  total: Type.Integer(),
  next: Type.Optional(Type.Integer({ description: "There is more: pass it as `from`." })),
});

interface Deps {
  stores: Stores;
  attached: Pick<StoreFilesService, "list" | "get" | "part">;
}

export function fetchTool({ attached: files }: Deps): Tool {
  return {
    name: "fetch",
    title: "Fetch a document",
    description: "Gives the text of a document that search found; of a long one the part around the passage.",
    input: Fetch,
    output: Document,
    async run(args, call): Promise<Static<typeof Document>> {
      const { id } = args as Static<typeof Fetch>;
      const asked = readPassageId(id);
      if (asked === null || (call.store !== null && call.store.id !== asked.storeId)) throw unknownId();
      const { storeId, fileId, place } = asked;
      const wanted = "chunk" in place ? { chunk: place.chunk, place: partAt } : Math.max(0, place.part - 1) * PART_STEP;
      const file = await files
        .part(askingFor(call.caller, storeId), fileId, { from: wanted, characters: MOST_CHARACTERS })
        .catch((error: unknown) => {
          const isUnknown =
            error instanceof AppError &&
            (error.code === "vector_store_not_found" || error.code === "vector_store_file_not_found");
          throw isUnknown ? unknownId() : error;
        });
      const { text, from, total, chunk } = textOf(file);
      const url = call.links.passage(storeId, fileId, "chunk" in place ? place.chunk : chunk);
      const metadata = total <= MOST_CHARACTERS ? {} : { metadata: partWords(asked, from, total) };
      return { id, title: file.filename, text, url, ...metadata };
    },
  };
}

function unknownId(): ToolError {
  return new ToolError("There is no document of that id; take one that search or search_store gave.");
}

/** Where the part begins that a passage stands in. */
function partAt(start: number, total: number): number {
  return Math.min(Math.floor(start / PART_STEP), partsOf(total) - 1) * PART_STEP;
}

function partsOf(total: number): number {
  return total <= MOST_CHARACTERS ? 1 : Math.ceil((total - MOST_CHARACTERS) / PART_STEP) + 1;
}

function partWords({ storeId, fileId }: PassageId, from: number, total: number) {
  const parts = partsOf(total);
  const part = Math.min(Math.floor(from / PART_STEP) + 1, parts);
  const idOf = (number: number) => passageId({ storeId, fileId, place: { part: number } });
  return {
    part: `${part}/${parts}`,
    ...(part < parts ? { next_id: idOf(part + 1) } : {}),
    ...(part > 1 ? { previous_id: idOf(part - 1) } : {}),
  };
}

/** Throws where the file has no text. */
function textOf({ status, part }: FilePart): NonNullable<FilePart["part"]> {
  if (part !== null) return part;
  if (status === "in_progress") throw new ToolError("The file is still being indexed; try again later.");
  throw new ToolError("The file has no text that could be read.");
}

/** The tools that look into one store. */
export function fileTools({ stores, attached: files }: Deps, isPinned: boolean): Tool[] {
  return [
    {
      name: "list_files",
      title: "List files",
      description: "Lists the files of a store, the newest first, with their attributes.",
      input: isPinned ? ListPinned : ListFiles,
      output: FileList,
      async run(args, call): Promise<Static<typeof FileList>> {
        const asked = args as Static<typeof ListPinned>;
        const store = await storeOf(stores, asked, call);
        const { data, hasMore } = await files.list(
          askingFor(call.caller, store.id),
          { limit: PAGE, order: "desc", after: asked.cursor ?? null, before: null },
          { status: null, filename: asked.name_contains ?? null, sort: "created_at" },
        );
        const last = data.at(-1);
        return { files: data.map(shownFile), ...(hasMore && last ? { next: last.id } : {}) };
      },
    },
    {
      name: "read_file",
      title: "Read a file",
      description: "Gives the text of a file, or a stretch of it.",
      input: isPinned ? ReadPinned : ReadFile,
      output: TextPart,
      async run(args, call): Promise<Static<typeof TextPart>> {
        const asked = args as Static<typeof ReadPinned>;
        const store = await storeOf(stores, asked, call);
        const { id } = await findFile(files, asked.file, { call, storeId: store.id });
        const wanted = { from: asked.from ?? 0, characters: asked.characters ?? MOST_CHARACTERS };
        const { text, from, to, total } = textOf(await files.part(askingFor(call.caller, store.id), id, wanted));
        return { text, from, to, total, ...(to < total ? { next: to } : {}) };
      },
    },
  ];
}

/** The file of that id in the store, else the one of that name. */
async function findFile(
  files: Deps["attached"],
  word: string,
  { call, storeId }: { call: ToolCall; storeId: string },
): Promise<VectorStoreFile> {
  const asking = askingFor(call.caller, storeId);
  try {
    return await files.get(asking, word);
  } catch (error) {
    if (!(error instanceof AppError && error.code === "vector_store_file_not_found")) throw error;
  }
  const found: VectorStoreFile[] = [];
  const wanted = { status: null, filename: word, sort: "created_at" } as const;
  let after: string | null = null;
  for (let page = 0; page < MOST_PAGES; page += 1) {
    const { data, hasMore } = await files.list(asking, { limit: PAGE, order: "desc", after, before: null }, wanted);
    found.push(...data.filter(({ filename }) => filename === word));
    after = data.at(-1)?.id ?? null;
    if (!hasMore || after === null) break;
    await nextTurn();
  }
  const [file, ...others] = found;
  if (file === undefined) throw new ToolError("There is no such file in the store; list_files names them.");
  if (others.length === 0) return file;
  const ids = found.slice(0, PAGE).map(({ id }) => id);
  throw new ToolError(`Several files have that name: say which by its id (${ids.join(", ")}).`);
}

function shownFile(file: VectorStoreFile): Static<typeof FileList>["files"][number] {
  const { id, filename = "", bytes = 0, attributes, status } = file;
  return { id, name: filename, bytes, attributes: attributes ?? {}, status };
}
