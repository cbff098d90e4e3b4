/** What holds for every list, every filter and every operation, over HTTP, with random data and while others write. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { json, newStore, search, settled, upload } from "../helpers/api.ts";
import { runSeed, seededRandom } from "../helpers/random.ts";
import { startServer } from "../helpers/server.ts";
import type { TestServer } from "../helpers/server.ts";

let server: TestServer;
const random = seededRandom(runSeed("properties"));
const int = (below: number) => Math.floor(random() * below);
const pick = <T>(items: readonly T[]): T => items[int(items.length)] as T;

beforeAll(async () => {
  server = await startServer();
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

interface Page {
  data: { id: string }[];
  first_id: string | null;
  last_id: string | null;
  has_more: boolean;
}

/** A list with rows that stay, and a way to add and to remove others. */
interface List {
  path: string;
  stay: string[];
  add(): Promise<string>;
  remove(id: string): Promise<void>;
}

const remove = async (path: string) => void (await json(server, "DELETE", path));

const LISTS: Record<string, () => Promise<List>> = {
  async files() {
    const add = () => upload(server, "x.txt", "x");
    return { path: "/v1/files", stay: await times(24, add), add, remove: (id) => remove(`/v1/files/${id}`) };
  },
  async "vector stores"() {
    const add = () => newStore(server);
    const path = "/v1/vector_stores";
    return { path, stay: await times(24, add), add, remove: (id) => remove(`${path}/${id}`) };
  },
  async "files of a store"() {
    const path = `/v1/vector_stores/${await newStore(server)}/files`;
    const add = async () => {
      const file_id = await upload(server, "x.txt", "x");
      await json(server, "POST", path, { file_id });
      return file_id;
    };
    return { path, stay: await times(24, add), add, remove: (id) => remove(`${path}/${id}`) };
  },
  async "files of a batch"() {
    const store = `/v1/vector_stores/${await newStore(server)}`;
    const file_ids = await times(60, () => upload(server, "x.txt", "x"));
    const batch = await json<{ id: string }>(server, "POST", `${store}/file_batches`, { file_ids });
    // A batch never grows; every second of its files is taken out while it is read.
    const leaving = file_ids.filter((_, i) => i % 2 === 1);
    return {
      path: `${store}/file_batches/${batch.id}/files`,
      stay: file_ids.filter((_, i) => i % 2 === 0),
      add: () => Promise.resolve(leaving.pop() ?? ""),
      remove: (id) => (id === "" ? Bun.sleep(1) : remove(`${store}/files/${id}`)),
    };
  },
};

async function times<T>(count: number, make: () => Promise<T>): Promise<T[]> {
  const made: T[] = [];
  for (let i = 0; i < count; i++) made.push(await make());
  return made;
}

describe("pages never skip and never repeat a row while others come and go", () => {
  test.each(Object.keys(LISTS))("%s", async (name) => {
    const list = await LISTS[name]!();
    const others: string[] = [];
    const reading = new AbortController();
    const writing = (async () => {
      while (!reading.signal.aborted) {
        others.push(await list.add());
        // Any of them may go, the one that is the reader's cursor too.
        if (others.length > 3) await list.remove(others.splice(int(others.length), 1)[0] ?? "");
      }
    })();
    try {
      for (const order of ["desc", "asc"]) {
        for (const cursor of name === "files" ? ["after"] : ["after", "before"]) {
          const seen = await walk(list.path, order, cursor);
          expect(new Set(seen).size).toBe(seen.length);
          const stayed = seen.filter((id) => list.stay.includes(id));
          const forwards = (order === "asc") === (cursor === "after");
          expect(stayed).toEqual(forwards ? list.stay : list.stay.toReversed());
        }
      }
    } finally {
      reading.abort();
      await writing;
    }
  });
});

/** All ids, page by page in pages of random size; with `before` from the end of the list towards its start. */
async function walk(path: string, order: string, cursor: string): Promise<string[]> {
  const seen: string[] = [];
  if (cursor === "before") {
    // Rows that join at the end meanwhile are behind this walk.
    const all = await walk(path, order, "after");
    seen.push(all.at(-1) ?? "");
  }
  for (;;) {
    const at = seen.length === 0 ? "" : `&${cursor}=${seen.at(-1)}`;
    const page = await json<Page>(server, "GET", `${path}?order=${order}&limit=${2 + int(6)}${at}`);
    const ids = page.data.map(({ id }) => id);
    expect([page.first_id, page.last_id]).toEqual([ids[0] ?? null, ids.at(-1) ?? null]);
    seen.push(...(cursor === "before" ? ids.toReversed() : ids));
    if (cursor === "before" ? ids.length === 0 : !page.has_more) return seen;
  }
}

type Attributes = Record<string, string | number | boolean>;
type Filter = Record<string, unknown>;
const KEYS = ["topic", "year", "draft", "type"];
const VALUES = ["sea", "kitchen", "", "2024", 2024, 2025, -1.5, 0, true, false];
const OPERATORS = ["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin"];

function randomFilter(depth: number): Filter {
  if (depth > 0 && random() < 0.5) {
    const filters = Array.from({ length: 1 + int(3) }, () => randomFilter(depth - 1));
    return { type: pick(["and", "or"]), filters };
  }
  const key = pick(KEYS);
  const type = pick(OPERATORS);
  const value = type === "in" || type === "nin" ? [pick(VALUES), pick(VALUES)] : pick(VALUES);
  const form = random();
  if (form < 0.6) return { type, key, value };
  // Any key but `type`, whose plain forms look like OpenAI's where the value is an operator's name.
  return form < 0.8 ? { [key]: pick(VALUES) } : { [key]: { [`$${type}`]: value } };
}

/** The rules in their shortest form, read from the JSON itself. */
function keeps(filter: Filter, own: Attributes): boolean {
  const { type, key, value, filters } = filter as { type: string; key: string; value: unknown; filters: Filter[] };
  if (Array.isArray(filters)) {
    return type === "and" ? filters.every((one) => keeps(one, own)) : filters.some((one) => keeps(one, own));
  }
  if (OPERATORS.includes(type) && "key" in filter && "value" in filter) return holds(type, own[key], value);
  return Object.entries(filter).every(([name, wanted]) =>
    typeof wanted === "object" && wanted !== null
      ? Object.entries(wanted).every(([operator, one]) => holds(operator.slice(1), own[name], one))
      : holds("eq", own[name], wanted),
  );
}

function holds(operator: string, own: unknown, value: unknown): boolean {
  const listed = [value].flat().includes(own);
  if (operator === "ne" || operator === "nin") return !listed;
  if (operator === "eq" || operator === "in") return listed;
  if (typeof own !== typeof value || typeof own === "boolean" || own === undefined) return false;
  const [a, b] = [own as number, value as number];
  return operator === "gt" ? a > b : operator === "gte" ? a >= b : operator === "lt" ? a < b : a <= b;
}

test("searches with random filters keep the files that a naive reading keeps", async () => {
  const store = await newStore(server);
  const files = await times(40, async () => {
    const keys = KEYS.filter(() => random() < 0.7);
    const attributes: Attributes = Object.fromEntries(keys.map((key) => [key, pick(VALUES)]));
    return { file_id: await upload(server, "harbour.txt", "The harbour is open."), attributes };
  });
  await json(server, "POST", `/v1/vector_stores/${store}/file_batches`, { files });
  for (const { file_id } of files) await settled(server, store, file_id);
  for (let i = 0; i < 300; i++) {
    const filters = randomFilter(3);
    const found = await search(server, store, { query: "harbour", filters, max_num_results: 50 });
    const wanted = files.filter(({ attributes }) => keeps(filters, attributes)).map(({ file_id }) => file_id);
    expect([filters, found.map(({ file_id }) => file_id).toSorted()]).toEqual([filters, wanted.toSorted()]);
  }
});

interface Schema {
  $ref?: string;
  type?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean | Schema;
  items?: Schema;
  anyOf?: Schema[];
  const?: unknown;
  enum?: unknown[];
  minimum?: number;
  minItems?: number;
  minLength?: number;
}

interface Documented {
  parameters?: { name: string; in: string }[];
  requestBody?: { content: Record<string, { schema: Schema }> };
  responses?: Record<string, { content?: Record<string, { schema: Schema }> }>;
}

describe("an unknown parameter is a 400 that names it, in every operation of the API document", () => {
  const UNKNOWN = "no_such_thing";
  let document: { paths: Record<string, Record<string, Documented>>; components: { schemas: Record<string, Schema> } };
  const calls: { method: string; path: string; operation: Documented }[] = [];

  beforeAll(async () => {
    document = (await (await fetch(`${server.url}/docs/json`)).json()) as typeof document;
    for (const [path, item] of Object.entries(document.paths)) {
      if (!path.startsWith("/v1/")) continue;
      for (const [method, operation] of Object.entries(item)) {
        // Programs that read no envelope of OpenAI's are told in their own.
        const refused = operation.responses?.["400"]?.content?.["application/json"]?.schema.$ref ?? "";
        if (!refused.endsWith("/ErrorResponse")) continue;
        calls.push({ method: method.toUpperCase(), path: path.replace(/\{\w+\}/g, "unknown-id"), operation });
      }
    }
    expect(calls.length).toBeGreaterThanOrEqual(29);
  });

  async function expectNamed(method: string, path: string, param: string, init: RequestInit = {}): Promise<void> {
    const response = await server.fetch(path, { method, ...init });
    const { error } = (await response.json()) as { error?: Record<string, unknown> };
    const got = [method, path, response.status, error?.["code"], error?.["param"], error?.["message"]];
    expect(got).toEqual([method, path, 400, "unknown_parameter", param, `Unknown parameter: '${param}'.`]);
  }

  test("in the query", async () => {
    for (const { method, path } of calls) await expectNamed(method, `${path}?${UNKNOWN}=1`, UNKNOWN);
  });

  test("at every place of a JSON body", async () => {
    let places = 0;
    for (const { method, path, operation } of calls) {
      const schema = operation.requestBody?.content["application/json"]?.schema;
      // What a chat model's server takes is its own affair.
      if (schema === undefined || path === "/v1/chat/completions") continue;
      const before = places;
      for (const { value, param } of broken(schema, "", 0)) {
        await expectNamed(method, path, param, { body: JSON.stringify(value) });
        places += 1;
      }
      expect([path, places - before]).not.toEqual([path, 0]);
    }
    console.log(`unknown parameters tried in ${places} places of JSON bodies`);
  });

  test("in a form", async () => {
    const forms = calls.filter(({ operation }) => operation.requestBody?.content["multipart/form-data"] !== undefined);
    expect(forms.map(({ path }) => path).toSorted()).toEqual([
      "/v1/admin/models",
      "/v1/files",
      "/v1/uploads/unknown-id/parts",
    ]);
    const made = { filename: "x", purpose: "assistants", bytes: 1, mime_type: "text/plain" };
    const { id } = await json<{ id: string }>(server, "POST", "/v1/uploads", made);
    for (const { path } of forms) {
      const form = new FormData();
      const part = { "/v1/files": "file", "/v1/admin/models": "files" }[path] ?? "data";
      form.set(part, new Blob(["x"]), "x.txt");
      if (path === "/v1/files") form.set("purpose", "assistants");
      form.set(UNKNOWN, "1");
      await expectNamed("POST", path.replace("unknown-id", id), UNKNOWN, { body: form });
    }
  });

  /** Values that would be valid but for one unknown key, at each place where the schema lists its keys. */
  function* broken(given: Schema, path: string, depth: number): Generator<{ value: unknown; param: string }> {
    const schema = resolved(given);
    if (depth > 6) return;
    if (schema.anyOf !== undefined) {
      const branches = schema.anyOf.map(resolved);
      // Where one form takes any key, none is unknown.
      if (branches.some((branch) => branch.type === "object" && !isClosed(branch))) return;
      for (const branch of branches) yield* broken(branch, path, depth + 1);
    } else if (schema.type === "array" && schema.items !== undefined) {
      for (const { value, param } of broken(schema.items, `${path}[0]`, depth + 1)) yield { value: [value], param };
    } else if (schema.type === "object" && isClosed(schema)) {
      const plain = sample(schema) as object;
      const at = path === "" ? "" : `${path}.`;
      yield { value: { [UNKNOWN]: 1, ...plain }, param: at + UNKNOWN };
      for (const [key, property] of Object.entries(schema.properties ?? {})) {
        for (const { value, param } of broken(property, at + key, depth + 1)) {
          yield { value: { ...plain, [key]: value }, param };
        }
      }
    }
  }

  function isClosed(schema: Schema): boolean {
    return schema.additionalProperties === false;
  }

  function resolved(schema: Schema): Schema {
    const name = schema.$ref?.split("/").at(-1);
    return name === undefined ? schema : resolved(document.components.schemas[name] ?? {});
  }

  /** The least valid value. */
  function sample(given: Schema): unknown {
    const schema = resolved(given);
    if ("const" in schema) return schema.const;
    if (schema.enum !== undefined) return schema.enum[0];
    if (schema.anyOf !== undefined) return sample(schema.anyOf[0] ?? {});
    switch (schema.type) {
      case "object":
        return Object.fromEntries((schema.required ?? []).map((key) => [key, sample(schema.properties?.[key] ?? {})]));
      case "array":
        return Array.from({ length: schema.minItems ?? 0 }, () => sample(schema.items ?? {}));
      case "string":
        return "x".repeat(Math.max(1, schema.minLength ?? 0));
      case "integer":
      case "number":
        return schema.minimum ?? 1;
      case "boolean":
        return true;
      default:
        return null;
    }
  }
});
